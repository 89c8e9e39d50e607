"""``ctxlab plan`` as typed: rows, what does not fit and what would do, the cache, refusals."""

import json
from pathlib import Path

import pytest

from ctxlab.cli import main
from ctxlab.workbench.planning import session

SMALL = (
    "model=tiny_bert", "data.documents=2", "data.validation_documents=1", "data.test_documents=1",
    "data.words_per_document=200", "trainer.precision=fp32", "trainer.device=cpu",
)  # fmt: skip


def plan(folder: Path, *words: str) -> dict:
    assert main(["plan", *SMALL, *words, f"hydra.run.dir={folder}"]) == 0
    return json.loads((folder / "plan.json").read_text())


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """A cache of its own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CTXLAB_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def planned(tmp_path_factory, cache) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("planned") / "run"
    return folder, plan(folder, "context=64,256", "strategy=chunk,longformer", "budget.steps=7")


def test_each_candidate_has_its_cost_and_one_that_cannot_be_says_why(planned):
    folder, found = planned
    rows = {row["candidate"]: row for row in found["candidates"]}
    assert list(rows) == ["chunk-64", "longformer-64", "chunk-256", "longformer-256"]
    refused = rows.pop("longformer-64")
    assert not refused["applicable"]
    assert "wider than context.length=64: use" in refused["why"]
    for row in rows.values():
        assert row["fits"] is True
        assert row["steps"] == 7
        assert row["flops"] == pytest.approx(7 * row["flops_per_step"])
        assert row["seconds"] == pytest.approx(7 * row["seconds_per_step"])
        assert row["peak_memory_bytes"] > row["tensor_bytes"] > 12 * row["parameters"]
        assert row["disk_bytes"] >= 12 * row["parameters"]
    assert rows["chunk-256"]["flops_per_step"] > rows["chunk-64"]["flops_per_step"]
    page = (folder / "plan.md").read_text()
    assert "| chunk at 256 | yes |" in page
    assert "longformer at 64: not applicable: " in page


@pytest.mark.slow
def test_a_second_plan_measures_nothing_and_a_damaged_cache_is_measured_again(planned, cache, tmp_path, monkeypatch):
    measured = []
    measure = session._measure
    monkeypatch.setattr(session, "_measure", lambda parts: measured.append(parts.length) or measure(parts))
    words = ("context=64,256", "strategy=chunk,longformer", "budget.steps=7")
    again = plan(tmp_path / "again", *words)
    assert measured == [64]  # longformer, which cannot be
    assert again["candidates"] == planned[1]["candidates"]
    entries = sorted((cache / "plan").glob("*.json"))
    assert len(entries) == 3
    texts = [path.read_text() for path in entries]
    entries[0].write_text(texts[0][:100])
    entries[1].write_text(texts[2])  # another candidate's
    entries[2].write_text("[1]")
    del measured[:]
    plan(tmp_path / "mended", *words)
    assert sorted(measured) == [64, 64, 256, 256]


@pytest.mark.slow
def test_what_does_not_fit_says_what_would(planned, tmp_path):
    """The limit lies between smaller passes and larger ones; then below all of them."""
    rows = {row["candidate"]: row for row in planned[1]["candidates"]}
    limit = int(session.ROOM * rows["chunk-256"]["peak_memory_bytes"]) - 2**20
    found = plan(tmp_path / "near", "context=256", "strategy=chunk", f"limit.memory={limit}")
    (row,) = found["candidates"]
    assert row["fits"] is False
    assert row["remedy"].endswith("fits")
    assert "trainer.tokens_per_forward=" in row["remedy"] or "trainer.precision=bf16" in row["remedy"]
    (row,) = plan(tmp_path / "far", "context=256", "strategy=chunk", "limit.memory=1MB")["candidates"]
    assert row["remedy"].startswith("no change of trainer makes it fit")


@pytest.mark.slow
def test_a_device_of_the_table_has_a_range_that_is_not_validated(planned, tmp_path, capsys):
    found = plan(tmp_path / "run", "context=256", "strategy=chunk", "device=h100")
    (row,) = found["candidates"]
    assert (found["device"], found["validated"]) == ("h100", False)
    low, high = row["seconds_per_step_range"]
    assert 0 < low < row["seconds_per_step"] < high
    low, high = row["peak_memory_bytes_range"]
    assert row["tensor_bytes"] < low < row["peak_memory_bytes"] < high
    assert "not validated here" in capsys.readouterr().out


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["device=h10"], "h100"),
        (["budget.tokens=1"], "budget.tokens=1 is too small for one step of any candidate"),
        (["limit.memory=much"], "limit.memory=much is not an amount of memory"),
        (["device=h100,t4"], "device=h100,t4 has several values: give one, and plan again for another."),
        (
            ["device=h100", "device.memory_gib=null"],
            "device=h100 needs device.memory_gib: give it, or use device=here.",
        ),
        (["strategy=longformer", "context.length=20"], "strategy.attention.window=128 is wider than"),
    ],
)
def test_mistakes_are_refused_in_a_sentence(words, sentence, planned, tmp_path, capsys):
    given = {word.split("=")[0] for word in words}
    defaults = [word for word in ("context=256", "strategy=chunk") if word.split("=")[0] not in given]
    defaults = [] if "context.length" in given else defaults
    assert main(["plan", *SMALL, *defaults, *words, f"hydra.run.dir={tmp_path / 'run'}"]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
