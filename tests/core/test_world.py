from ctxlab.core import world


def test_without_a_starter_there_is_one_process(monkeypatch):
    for name in ("WORLD_SIZE", "RANK", "TORCHELASTIC_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    assert (world.size(), world.rank(), world.restarts()) == (1, 0, 0)


def test_the_environment_of_torchrun(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    assert (world.size(), world.rank(), world.restarts()) == (4, 3, 2)


def test_a_text_that_is_no_number_counts_as_absent(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "many")
    assert world.size() == 1
