"""The reported cost of an evaluation, against torch's own counter and the contents of windows."""

import json

import pytest

from ctxlab.cli import main
from ctxlab.training.accumulation import Accumulation
from ctxlab.workbench import finish
from tests.operations import torchs_counter
from tests.stages.conftest import SMALL, result, train

TINY = (*SMALL[2:8], "context=256", "data.test_documents=1", "data.validation_documents=1")
WRITES = "task.decoding.max_new_tokens=4"
CASES = {
    "written, and the target scored": ("task=summarization", "model=tiny_t5", "strategy=chunk", WRITES),
    "beams": ("task=summarization", "model=tiny_llama", "strategy=truncate", WRITES, "task/decoding=beam"),
    "continuations compared": ("task=classification", "model=tiny_llama", "strategy=chunk", "task.shots=0"),
    "memory tokens": ("task=lm", "model=tiny_llama", "strategy=rmt", "strategy.reading.window=64"),
    "cached keys": ("task=lm", "model=tiny_llama", "strategy=transformer_xl", "strategy.reading.window=64"),
    "a second model that chooses": ("task=classification", "model=tiny_llama", "strategy=selective_context",
                                    "strategy.reading.scorer=model", "task.shots=0"),
}  # fmt: skip


@pytest.fixture
def evaluated(tmp_path, monkeypatch):
    """The result of ``ctxlab eval``, and what torch counted while it read the split."""
    counted = []
    evaluate = finish.evaluate

    def watched(*args, **options):
        with torchs_counter() as counter:
            evaluation = evaluate(*args, **options)
        counted.append(counter.get_total_flops())
        return evaluation

    def run(*words):
        monkeypatch.setattr(finish, "evaluate", watched)
        given = {word.split("=")[0] for word in words}
        defaults = [word for word in TINY if word.split("=")[0] not in given]
        folder = tmp_path / str(len(counted))
        assert main(["eval", *defaults, *words, f"hydra.run.dir={folder}"]) == 0
        return result(folder), counted[-1], folder

    return run


@pytest.mark.by_default(2)
@pytest.mark.parametrize("case", list(CASES))
def test_every_pass_of_an_evaluation_is_counted(case, evaluated):
    found, counted, _ = evaluated(*CASES[case])
    assert found["cost"]["flops"] == counted > 0


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    "words",
    [
        ("task=translation", "model=tiny_t5", "strategy=chunk"),
        ("strategy=rmt", "strategy.reading.window=64"),
        ("tuning=head",),
    ],
    ids=["encoder-decoder", "memory tokens", "a head alone"],
)
def test_every_training_step_is_counted(words, tmp_path, monkeypatch):
    counted = []
    accumulate = Accumulation.step

    def watched(*args, **options):
        with torchs_counter() as counter:
            given = accumulate(*args)
        counted.append(counter.get_total_flops())
        return given

    monkeypatch.setattr(Accumulation, "step", watched)
    assert train(tmp_path / "run", "trainer.max_steps=2", *words) == 0
    assert result(tmp_path / "run")["cost"]["flops"] == sum(counted) > 0


@pytest.mark.by_default(1)
@pytest.mark.parametrize("reading", ["truncate", "chunk"])
def test_tokens_that_no_window_holds_are_not_read(reading, evaluated):
    """``chunk`` without overlap reads each token once, ``truncate`` only those that fit, plus special tokens."""
    found, _, folder = evaluated("task=lm", "model=tiny_llama", f"strategy={reading}", "context=64")
    lines = [json.loads(line) for line in (folder / "predictions/validation.jsonl").read_text().splitlines()]
    tokens = [line["tokens"] for line in lines]
    added = 1  # of every window: the tokenizer begins a text with a token of its own
    windows = [-(-own // (64 - added)) if reading == "chunk" else 1 for own in tokens]
    read = sum(min(own, 64 - added) if reading == "truncate" else own for own in tokens) + added * sum(windows)
    assert min(tokens) > 64
    assert found["cost"]["evaluation_tokens"] == read
    seconds = found["cost"]["evaluation_seconds"]
    assert found["cost"]["tokens_per_second"] == pytest.approx(read / seconds)
