"""Relations through the real command: train, eval, predict, resume, verify."""

import json

import pytest
from safetensors.torch import load_file

from ctxlab.cli import main
from tests.pictures import drawn
from tests.stages.conftest import result, train

RELATION = ("task=relation", "strategy=chunk", "context=64", "data.documents=4", "data.words_per_document=100",
            "data.evidence_distance=[16]", "data.ambiguous_share=0.5", "task.width=16", "task.block=8")  # fmt: skip


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("relation") / "run"
    with drawn():
        assert train(folder, *RELATION) == 0
    return folder


def test_training_leaves_scores_and_breakdowns(run):
    found = result(run)
    assert found["primary_metric"] == "f1"
    assert set(found["metrics"]["validation"]) == {"precision", "recall", "f1", "ign_f1"}
    assert found["coverage"]["validation"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}
    assert set(found["breakdowns"]["validation"]) == {
        "overall", "per_relation", "by_length", "by_position", "by_evidence",
    }  # fmt: skip
    weights = load_file(run / "checkpoints/step-00000004/model.safetensors")
    assert "ctxlab_parts.task.bilinear" in weights
    assert len(weights["ctxlab_parts.task.facts"]) > 0
    assert not any(name.startswith("classifier") for name in weights)
    assert (run / "test.png").is_file()


@pytest.mark.by_default(1)
@pytest.mark.parametrize("strategy", ["truncate", "longformer"])
def test_a_checkpoint_is_scored_under_other_strategies(strategy, run, tmp_path):
    length = 128 if strategy == "longformer" else 64  # room for its window
    command = ["eval", f"run={run}", "split=test", f"strategy={strategy}", f"context={length}"]
    assert main([*command, f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    if strategy == "truncate":
        assert 0 < result(tmp_path / "e")["coverage"]["test"]["labels"] < 1


def test_facts_of_training_are_known_after_reloading(run, tmp_path):
    command = ["eval", f"run={run}", "split=train", f"hydra.run.dir={tmp_path / 'e'}"]
    assert main(command) == 0
    found = result(tmp_path / "e")
    gold = found["breakdowns"]["train"]["overall"][0]["gold"]
    assert any(f"have {gold} of the {gold} gold relations" in note for note in found["notes"])
    assert found["metrics"]["train"]["ign_f1"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["rmt", "hierarchical"])
def test_strategies_that_link_windows(strategy, tmp_path):
    options = (f"strategy={strategy}", "strategy.reading.window=32", "task.unknown_labels=miss", "context=128")
    assert train(tmp_path / "run", *RELATION, *options, "trainer.max_steps=1", "task.markers=true") == 0
    assert result(tmp_path / "run")["coverage"]["validation"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}


@pytest.mark.slow
def test_a_run_is_verified(run, tmp_path):
    command = ["verify", f"run={run}", "data.validation_documents=1", f"hydra.run.dir={tmp_path / 'v'}"]
    assert main(command) == 0


def test_predict_needs_no_relations(run, tmp_path):
    entities = [{"type": "PER", "mentions": [[0, 1]]}, {"type": "new", "mentions": [[2, 3]]}]
    source = write(
        tmp_path / "in.jsonl",
        {"id": "a", "tokens": ["Ann", "left", "Bonn", "."], "entities": entities},
        {"id": "b", "tokens": ["Nothing", "."], "entities": []},
    )
    output = tmp_path / "out.jsonl"
    assert (
        main(["predict", f"run={run}", f"input={source}", f"output={output}", f"hydra.run.dir={tmp_path / 'p'}"]) == 0
    )
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["id"] for line in lines] == ["a", "b"]
    assert lines[1]["relations"] == []


@pytest.mark.slow
def test_what_cannot_be_read_is_refused(tmp_path, refused):
    def says(*records, **options):
        file = write(tmp_path / "train.jsonl", *records)
        given = [f"{name}={value}" for name, value in options.items()]
        return refused(["train", "task=relation", "model=tiny_bert", f"data.train_file={file}", *given,
                        f"hydra.run.dir={tmp_path / str(len(list(tmp_path.iterdir())))}"])  # fmt: skip

    assert "task=ner" in says({"tokens": ["a"], "tags": ["O"]})
    bad = {"tokens": ["a", "b"], "entities": [{"mentions": [[0, 3]]}], "relations": []}
    assert "train.jsonl line 1" in says(bad)
    assert "encoder" in refused(["train", "task=relation", "model=tiny_gpt2", "strategy=chunk",
                                 f"hydra.run.dir={tmp_path / 'r'}"])  # fmt: skip
