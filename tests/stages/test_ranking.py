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


def evaluated(run, folder, *options):
    assert main(["eval", f"run={run}", *options, f"hydra.run.dir={folder}"]) == 0
    return result(folder)


def records(task):
    """Histories of different lengths."""
    sentence = "The old captain sold rope, and it rained. "
    if task == "recommendation":
        rest = {"candidates": ["Rope.", "All about the sea.", "Rain"], "labels": [1, 0, 1]}
        return [{"id": str(n), "history": [sentence] * n, **rest} for n in (1, 3, 9)]
    turns = [{"speaker": str(n % 2), "text": sentence} for n in range(9)]
    last = {"speaker": "x", "text": "Rain."}
    return [{"id": str(n), "turns": [*turns[:n], last], "candidates": ["Rope", "Rain.", "Sea"]} for n in (1, 3, 9)]


@pytest.mark.parametrize("name", RUNS)
def test_a_checkpoint_loads_again_with_its_scores(name, runs, tmp_path):
    found, before = evaluated(runs / name, tmp_path / "e", "split=test"), result(runs / name)
    assert found["metrics"]["test"] == before["metrics"]["test"]
    assert set(found["metrics"]["test"]) == FIGURES[name]
    assert set(found["breakdowns"]["test"]) == {"overall", "by_length", "by_position", "by_evidence"}
    assert (tmp_path / "e" / "test.png").is_file()
    covered = found["coverage"]["test"]["tokens"]
    assert covered == 1 if name == "recommendation" else covered < 1


@pytest.mark.parametrize("name", RUNS)
def test_scores_do_not_hang_on_the_batch(name, runs, tmp_path):
    file = write(tmp_path / "a.jsonl", *records(name))
    for size in (1, 512):
        given = (f"data.validation_file={file}", f"trainer.tokens_per_forward={size}")
        evaluated(runs / name, tmp_path / str(size), *given)
    one, many = (lines(tmp_path / str(size) / "predictions" / "validation.jsonl") for size in (1, 512))
    assert len(one) == len(many) == 9
    for a, b in zip(one, many, strict=True):
        assert (a["id"], a["candidate"]) == (b["id"], b["candidate"])
        assert a["score"] == pytest.approx(b["score"], abs=2e-5)


@pytest.mark.parametrize("name", RUNS)
def test_predictions_need_no_labels(name, runs, tmp_path):
    """A dialogue that ends before the turn that is asked for is the same one as that with it."""
    given = [{key: value for key, value in record.items() if key != "labels"} for record in records(name)]
    cut = [{**record, "turns": record["turns"][:-1]} for record in given] if name == "dialogue" else given
    for file, rows in (("whole", given), ("cut", cut)):
        write(tmp_path / f"{file}.jsonl", *rows)
        command = [
            f"input={tmp_path / file}.jsonl",
            f"output={tmp_path / file}.out",
            f"hydra.run.dir={tmp_path / file}",
        ]
        assert main(["predict", f"run={runs / name}", *command]) == 0
    found = lines(tmp_path / "whole.out")
    assert found == lines(tmp_path / "cut.out")
    assert [(line["id"], line["candidate"]) for line in found] == [(n, c) for n in "139" for c in (1, 2, 3)]
    assert [line["text"] for line in found[:3]] == given[0]["candidates"]
    assert all(0 < line["probability"] < 1 for line in found)


def test_training_resumes_to_the_same_weights(tmp_path):
    """Which of the other candidates an epoch takes is known again."""
    given = (*SHORT, *RUNS["recommendation"], "trainer.save_every_steps=1", "trainer.keep_checkpoints=9")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train(whole, *given) == 0
    assert train(cut, *given) == 0
    (cut / "checkpoints" / "step-00000002" / "manifest.json").unlink()
    assert main(["train", f"resume={cut}"]) == 0
    assert result(cut)["resumed_from"] == "step-00000001"
    one, other = (
        json.loads((folder / "checkpoints/step-00000002/manifest.json").read_text())["model.safetensors"]
        for folder in (whole, cut)
    )
    assert one == other


def test_candidates_are_drawn_within_a_split(tmp_path):
    """A validation split set apart of the training dialogues draws from itself alone."""
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


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "task=dialogue", "task.mode=choose", "model=tiny_gpt2"], "needs a model of kind encoder"),
        (["train", "task=recommendation", "model=tiny_llama"], "needs a model of kind encoder"),
        (["eval", "task=dialogue", "model=tiny_bert"], "task=dialogue has a head that only training gives"),
        (["train", "task=dialogue", "task.mode=guess", "model=tiny_bert"], "task.mode=guess is not one of"),
    ],
)
def test_what_cannot_work_is_refused(words, says, refused, tmp_path):
    given = ("tracking=none", "strategy=chunk", "context=64", "data.words_per_document=70", "data.documents=2")
    assert says in refused([*words, *given, "data.evidence_distance=[16]", f"hydra.run.dir={tmp_path / 'e'}"])
