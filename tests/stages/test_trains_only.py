"""A pattern for training only: what trains with it, what evaluates without it, and who says so."""

import json

import pytest

from ctxlab.cli import main
from tests.contracts.task_runs import lines
from tests.stages.conftest import result, train

SAID = "strategy/attention=shifted is for training only: evaluation and prediction read with full attention."
OPTIONS = ("task=lm", "model=tiny_llama", "strategy=chunk", "context=96", "trainer.max_steps=2", "optimizer.lr=3e-3",
           "data.documents=3", "data.validation_documents=1", "data.test_documents=1", "trainer.log_every_steps=1",
           "trainer.tokens_per_step=400")  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run trained in groups, and the same one trained in full."""
    folder = tmp_path_factory.mktemp("trains-only")
    for name in ("shifted", "full"):
        assert train(folder / name, *OPTIONS, f"strategy/attention={name}") == 0
    return folder


@pytest.mark.by_default(1)
def test_training_uses_the_pattern_and_evaluation_does_not(runs):
    """Evaluation of the same weights with attention=full is the oracle."""
    losses = [[row["loss"] for row in lines(runs / name / "metrics.jsonl") if row["kind"] == "train"]
              for name in ("shifted", "full")]  # fmt: skip
    assert len(losses[0]) == 2
    assert all(one != other for one, other in zip(*losses, strict=True))
    same = runs / "same"
    assert main(["eval", f"run={runs / 'shifted'}", "strategy/attention=full", f"hydra.run.dir={same}"]) == 0
    ((split, figures),) = result(same)["metrics"].items()
    assert figures == result(runs / "shifted")["metrics"][split]
    assert figures != result(runs / "full")["metrics"][split]
    assert lines(same / f"scores/{split}.jsonl") == lines(runs / f"shifted/scores/{split}.jsonl")
    assert SAID not in result(same)["notes"]


def test_every_stage_says_so(runs, tmp_path, capsys):
    run = runs / "shifted"
    assert SAID in result(run)["notes"]
    assert SAID in (run / "report.md").read_text()
    assert SAID not in result(runs / "full")["notes"]
    assert main(["eval", f"run={run}", f"hydra.run.dir={tmp_path / 'eval'}"]) == 0
    assert SAID in result(tmp_path / "eval")["notes"]
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"text": "Ada Lovelace lived in London."}\n')
    capsys.readouterr()
    assert main(["predict", f"run={run}", f"input={texts}", f"output={tmp_path / 'out.jsonl'}",
                 f"hydra.run.dir={tmp_path / 'predict'}"]) == 0  # fmt: skip
    assert " ".join(capsys.readouterr().out.split()).count(SAID) == 1
    saved = json.loads(next(run.glob("checkpoints/*/config.json")).read_text())
    assert saved["ctxlab"]["attention"] == {"name": "shifted", "group": 24}
