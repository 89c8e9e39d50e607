"""``ctxlab eval runs=[…]``: several runs, or checkpoints of one, scored together."""

import json
from pathlib import Path

import pytest

from ctxlab.cli import main
from ctxlab.training import checkpoint
from tests.stages.conftest import result, train

OPTIONS = ("data.documents=4", "data.validation_documents=2", "data.test_documents=0", "data.words_per_document=90",
           "data.evidence_distance=[16]", "data_seed=1", "optimizer.lr=3e-2", "trainer.tokens_per_step=256",
           "model.hidden_size=16")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run whose learning rate had three cycles, and one of another model, strategy and context."""
    folder = tmp_path_factory.mktemp("made")
    assert train(folder / "cycles", *OPTIONS, "strategy=chunk", "context=64", "scheduler=cyclic",
                 "scheduler.num_cycles=3", "scheduler.warmup_share=0", "trainer.max_steps=6",
                 "trainer.keep_checkpoints=1") == 0  # fmt: skip
    assert train(folder / "other", *OPTIONS, "model=tiny_llama", "strategy=truncate", "context=32", "seed=2") == 0
    return folder


def score(folder, *words):
    assert main(["eval", *words, f"hydra.run.dir={folder}"]) == 0
    return result(folder)


def test_checkpoints_at_the_ends_of_cycles_are_kept(made):
    assert checkpoint.names(made / "cycles") == [checkpoint.step_name(step) for step in (2, 4, 6)]


def test_snapshots_of_one_run_are_scored_together(made, tmp_path, monkeypatch):
    monkeypatch.chdir(made)
    names = checkpoint.names(made / "cycles")
    found = score(tmp_path / "e", f"runs=[{','.join(f'cycles/checkpoints/{name}' for name in names)}]")
    note = next(note for note in found["notes"] if note.startswith("The mean of 3 runs is scored"))
    assert all(f"cycles/{name} " in note for name in names)
    assert found["cost"]["parameters"] == 3 * result(made / "cycles")["cost"]["parameters"]
    assert len((tmp_path / "e/predictions/validation.jsonl").read_text().splitlines()) == 2
    assert len((tmp_path / "e/scores/validation.jsonl").read_text().splitlines()) == 2
    assert found["checkpoint"].count(", ") == 2


def test_one_run_has_the_scores_of_its_own(made, tmp_path):
    found = score(tmp_path / "e", f"runs=[{made / 'cycles'}]")
    assert found["metrics"] == {"validation": result(made / "cycles")["metrics"]["validation"]}
    one, other = (
        [json.loads(line) for line in (folder / "predictions/validation.jsonl").read_text().splitlines()]
        for folder in (made / "cycles", tmp_path / "e")
    )
    assert one == other


@pytest.mark.slow
def test_each_run_has_its_own_model_strategy_and_context_unless_one_is_given_for_all(made, tmp_path):
    both = f"runs=[{made / 'other'},{made / 'cycles'}]"
    found = score(tmp_path / "own", both)
    assert found["coverage"]["validation"]["labels"] == 1.0  # the second one reads all, the first one a part
    assert result(made / "other")["coverage"]["validation"]["labels"] < 1.0
    given = score(tmp_path / "all", both, "strategy=truncate", "context=32")
    assert given["coverage"]["validation"]["labels"] < 1.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs=[{cycles},{cycles}/checkpoints/step-00000003]"], "is not a valid checkpoint (it is not there)"),
        (["runs=[{cycles}]", "run={cycles}"], "run= and runs= name different things"),
        (["runs={cycles}"], "is not a list"),
        (["runs=[{cycles},nowhere]"], "runs=nowhere does not exist"),
        (["-m", "runs=[{cycles}],[{other}]"], "one at a time"),
    ],
)
def test_bad_input_is_one_sentence(made, tmp_path, refused, words, said):
    given = [word.format(cycles=made / "cycles", other=made / "other") for word in words]
    assert said in refused(["eval", *given, f"hydra.run.dir={tmp_path / 'e'}"])
    assert not (tmp_path / "e").exists()


@pytest.mark.slow
def test_documents_held_out_of_one_are_not_scored_with_another_that_was_trained_on_them(tmp_path, refused, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = {"tokens": ["Ada", "lives", "in", "Oslo"], "tags": ["B-PER", "O", "O", "B-LOC"]}
    Path("all.jsonl").write_text("".join(json.dumps({"id": str(i), **line}) + "\n" for i in range(8)))
    for seed in (1, 2):
        assert train(tmp_path / f"s{seed}", "data.train_file=all.jsonl", f"seed={seed}", "trainer.max_steps=1",
                     "strategy=chunk", "context=64") == 0  # fmt: skip
    for stage in ("eval", "soup"):
        said = refused([stage, "runs=[s1,s2]", "hydra.run.dir=e"])
        assert "s2 was trained with data_seed=2 and s1 was not" in said
        assert not Path("e").exists()
