"""Recommendation and dialogue by choice through the real command."""

import json

import pytest

from ctxlab.cli import main
from tests.stages.conftest import result, train

SHORT = ("model=tiny_bert", "context=64", "data.words_per_document=70", "data.evidence_distance=[20]",
         "trainer.max_steps=2", "trainer.tokens_per_step=512")  # fmt: skip
RUNS = {
    "recommendation": ("task=recommendation", "strategy=chunk", "task.combine=attention"),
    "dialogue": ("task=dialogue", "strategy=truncate", "strategy.reading.keep=tail", "task.negatives=2"),
}
FIGURES = {
    "recommendation": {"auc", "ndcg_at_5", "ndcg_at_10", "mrr", "mind_mrr"},
    "dialogue": {"mrr", "recall_at_1", "recall_at_2", "recall_at_5"},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranking")
    for name in RUNS:
        assert train(folder / name, *SHORT, *RUNS[name]) == 0
    return folder


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", RUNS)
def test_training_leaves_scores_and_breakdowns(name, runs):
    found = result(runs / name)
    assert set(found["metrics"]["test"]) == FIGURES[name]
    more = {"lists"} if name == "recommendation" else set()
    assert set(found["breakdowns"]["test"]) == {"overall", "by_length", "by_position", "by_evidence"} | more
    covered = found["coverage"]["test"]["tokens"]
    assert covered == 1 if name == "recommendation" else covered < 1


@pytest.mark.slow
def test_a_dialogue_that_ends_before_the_turn_that_is_asked_for_is_the_same_as_with_it(runs, tmp_path):
    sentence = "The old captain sold rope, and it rained. "
    turns = [*({"speaker": str(n % 2), "text": sentence} for n in range(9)), {"speaker": "x", "text": "Rain."}]
    candidates = ["Rope", "Rain.", "Sea"]
    for name, given in (("whole", turns), ("cut", turns[:-1])):
        file = write(tmp_path / f"{name}.jsonl", {"id": "a", "turns": given, "candidates": candidates})
        command = [f"input={file}", f"output={tmp_path / name}.out", f"hydra.run.dir={tmp_path / name}"]
        assert main(["predict", f"run={runs / 'dialogue'}", *command]) == 0
    found = lines(tmp_path / "whole.out")
    assert found == lines(tmp_path / "cut.out")
    assert [(line["id"], line["candidate"], line["text"]) for line in found] == [
        ("a", number, text) for number, text in enumerate(candidates, start=1)
    ]
    assert all(0 < line["probability"] < 1 for line in found)


def test_candidates_are_drawn_within_a_split(tmp_path):
    """A validation split held out from the training dialogues draws candidates from itself alone."""
    talks = [
        {"id": f"t{n}", "turns": [{"speaker": "ab"[i % 2], "text": f"the sea {n} {i}"} for i in range(6)]}
        for n in range(20)
    ]
    file = write(tmp_path / "talks.jsonl", *talks)
    given = ("task=dialogue", "task.candidates=4", "task.turns_per_dialogue=2", "model=tiny_bert", "strategy=chunk",
             "context=64", f"data.train_file={file}", "trainer.max_steps=1")  # fmt: skip
    assert train(tmp_path / "run", *given) == 0
    found = lines(tmp_path / "run" / "predictions" / "validation.jsonl")
    ids = {line["id"] for line in found}
    assert len(ids) == 2
    assert {(line["id"], line["turn"]) for line in found} == {(name, turn) for name in ids for turn in (3, 6)}
    assert {f"t{line['text'].split()[2]}" for line in found} == ids


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "task=dialogue", "task.mode=choose", "model=tiny_gpt2"], "needs a model of kind encoder"),
        (["eval", "task=dialogue", "model=tiny_bert"], "task=dialogue needs a trained head"),
        (["train", "task=dialogue", "task.mode=guess", "model=tiny_bert"], "task.mode=guess is not one of"),
    ],
)
def test_what_cannot_work_is_refused(words, says, refused, tmp_path):
    given = ("tracking=none", "strategy=chunk", "context=64", "data.words_per_document=70", "data.documents=2")
    assert says in refused([*words, *given, "data.evidence_distance=[16]", f"hydra.run.dir={tmp_path / 'e'}"])
