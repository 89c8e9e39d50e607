"""Constrained generation through the real command: train, eval, predict, with and without training, whatever shares the
batch."""

import pytest

from ctxlab.cli import main
from tests.stages.conftest import result, train

WRITES = ("task=generation", "model=tiny_llama", "strategy=chunk", "context=128", "data.documents=4",
          "data.words_per_document=80", "data.evidence_distance=[8,40]", "task.decoding.max_new_tokens=8",
          "trainer.max_steps=3")  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generation") / "run"
    assert train(folder, *WRITES) == 0
    return folder


def test_training_scores_constraints_and_the_records_own_texts(run):
    found = result(run)
    assert found["primary_metric"] == "constraints_met"
    assert found["metrics"]["test"]["perplexity"] > 1
    assert found["coverage"]["test"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}
    assert {"overall", "by_kind", "by_length", "by_position", "by_evidence"} <= set(found["breakdowns"]["test"])


@pytest.mark.by_default(1)
@pytest.mark.parametrize("method", ["beam", "sample"])
def test_scores_do_not_depend_on_the_batch(method, run, tmp_path):
    seen = []
    for name, budget in (("a", 1024), ("b", 64)):
        command = [
            "eval",
            f"run={run}",
            "split=test",
            f"trainer.tokens_per_forward={budget}",
            f"task/decoding={method}",
        ]
        command += ["task.decoding.max_new_tokens=8", f"hydra.run.dir={tmp_path / name}"]
        assert main(command) == 0
        seen.append((tmp_path / name / "predictions" / "test.jsonl").read_text())
        seen.append(result(tmp_path / name)["metrics"]["test"]["perplexity"])
    assert seen[0] == seen[2]
    assert seen[1] == pytest.approx(seen[3], rel=1e-5)


@pytest.mark.by_default(1)
@pytest.mark.parametrize("model", ["tiny_llama", "tiny_gpt2"])
def test_a_model_generates_without_training(model, tmp_path):
    options = [o for o in WRITES if not o.startswith(("model", "trainer", "context"))]
    assert main(["eval", *options, f"model={model}", "tracking=none", "data.validation_documents=2", "task.shots=1",
                 "context=512", f"hydra.run.dir={tmp_path / 'e'}"]) == 0  # fmt: skip
    assert result(tmp_path / "e")["metrics"]["validation"]["words"] >= 0


def test_under_truncation_constraints_in_the_cut_part_are_not_read(run, tmp_path):
    command = ["eval", f"run={run}", "split=test", "strategy=truncate", "context=32"]
    assert main([*command, f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    assert result(tmp_path / "e")["coverage"]["test"]["labels"] < 1


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["model=tiny_bert"], "use model=smollm2 or model=tiny_llama"),
        (["model=tiny_t5"], "use model=smollm2 or model=tiny_llama"),
        (["strategy=rmt"], "text is generated after each window separately: use strategy=chunk"),
        (["context=16", "task.decoding.max_new_tokens=16"], "context.length=16 leaves no room for the document beside"),
        (["task.shots=9"], "task.shots=9 needs as many solved training documents, and there are 4"),
        (["task.combine=all"], "task.combine=all is not one of join, best, last"),
        (["task/decoding=greed"], "greedy"),
    ],
)
def test_what_cannot_work_is_refused(options, sentence, refused):
    given = {option.split("=")[0] for option in options}
    kept = [option for option in WRITES if option.split("=")[0] not in given]
    assert sentence in refused(["train", *kept, *options, "tracking=none"])
