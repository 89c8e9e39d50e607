"""A command in a process of its own: its status, its output, and its environment."""

from ctxlab.workbench.cells import process


def test_a_process_has_its_own_status_and_its_output_is_appended(tmp_path):
    log, ticks = tmp_path / "logs" / "one.log", []
    words = [["--version"], ["nonsense"]]
    found = [process.run(one, log, process.environment(1), lambda: ticks.append(1)) for one in words]
    assert found == [0, 2]
    first, second = log.read_text().splitlines()
    assert first.startswith("ctxlab ")
    assert "There is no stage 'nonsense'" in second
    assert ticks


def test_every_library_is_told_its_number_of_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = process.environment(3)
    assert {found[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")} == {"3"}
    assert "PATH" in found
