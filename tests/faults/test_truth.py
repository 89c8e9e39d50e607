"""A run directory tells the truth: what training has settled is refused afterwards, or what is said of it is true."""

import json
from pathlib import Path

import pytest

from ctxlab.cli import main
from ctxlab.command import selected

MADE = ["task=ner", "model=tiny_bert", "strategy=truncate", "context=64", "tracking=none", "seed=3"]

MAY_CHANGE = {
    "eval": (
        "task.language", "task.tokens_field", "task.tags_field", "task.text_field",
        "task.numbers_field", "task.label_map",  # how files are read
        "data.documents", "data.validation_documents", "data.test_documents", "data.words_per_document",
        "data.ambiguous_share", "data.evidence_distance", "data.max_documents", "data.corpus", "data.language",
        "data.probe", "probe.form", "probe.lengths", "probe.depths", "probe.haystack", "probe.keys", "data_seed",
        "context.length", "strategy.reading.tokens", "strategy.reading.keep", "strategy.reading.head_tokens",
        "strategy.reading.overlap_tokens", "strategy.reading.merge", "strategy.reading.side",
        "strategy.reading.head_share", "strategy.attention.window",
        "strategy.attention.num_global", "trainer.tokens_per_step", "trainer.tokens_per_forward", "trainer.precision",
        "trainer.device", "trainer.num_workers", "run", "split", "checkpoint",
    ),
}  # fmt: skip
"""Keys that a stage after training may change, since its result says so or does not depend on them."""

LABELS = ("task.name", "strategy.name", "model.name", "probe.name", "tracking.name", "optimizer.name", "scheduler.name")
IGNORED = ("tracking.", "stage", "resume", "hydra")

NUMBER = {"int": 7, "float": 0.123}


def another(key):
    """A value of the same type as the one that is written, and not the same."""
    text = key.value.strip()
    if text in ("true", "false"):
        return "true" if text == "false" else "false"
    if text.startswith("["):
        return "[X]"
    try:
        number = float(text)
    except ValueError:
        return "7" if text in ("null", "") or "${" in text else "another"
    return str(int(number) + 7) if number.is_integer() and "." not in text and "e" not in text else str(number + 0.123)


def settled():
    """Every key of a training run that a later stage must not change."""
    keys = selected.keys("train", MADE)
    return {
        name: key for name, key in keys.items()
        if name not in MAY_CHANGE["eval"] and name not in LABELS and not name.startswith(IGNORED)
    }  # fmt: skip


SETTLED = settled()


@pytest.fixture(scope="module")
def made():
    return []


@pytest.fixture
def run(ctxlab, made, tmp_path):
    import shutil

    if not made:
        outcome = ctxlab("train", *MADE)
        assert outcome.status == 0
        made.append(outcome.run_dir)
    return Path(shutil.copytree(made[0], tmp_path / "run"))


def cases(values, first):
    return [pytest.param(value, marks=[pytest.mark.faults] if at >= first else []) for at, value in enumerate(values)]


TOLD: list[str] = []


@pytest.mark.parametrize("name", cases(SETTLED, 5))
@pytest.mark.parametrize("stage", ["eval", "predict", "verify"])
def test_every_key_that_training_has_settled_is_refused_afterwards(ctxlab, run, stage, name):
    needed = ["input=a", "output=b"] if stage == "predict" else []
    word = f"{name}={another(SETTLED[name])}"
    outcome = ctxlab(stage, f"run={run}", *needed, word)
    assert outcome.status == 2, (word, outcome.calls and outcome.config)
    assert outcome.calls == []
    assert outcome.err.count("\n") == 1
    assert f"{word} cannot be changed: the run in {run} was trained with" in outcome.err
    TOLD.append(f"{stage} {word}")


GROUPS = {"model": "tiny_llama", "optimizer": "sgd", "scheduler": "cosine", "tuning": "head"}


@pytest.mark.parametrize("group", GROUPS)
def test_another_group_of_training_is_refused(ctxlab, run, group):
    outcome = ctxlab("eval", f"run={run}", f"{group}={GROUPS[group]}")
    assert (outcome.status, outcome.calls) == (2, [])
    assert "cannot be changed" in outcome.err
    TOLD.append(group)


@pytest.mark.by_default(2)
@pytest.mark.parametrize("name", [name for name in LABELS if not name.startswith(("probe", "tracking"))])
@pytest.mark.parametrize("stage", ["eval", "train"])
def test_a_label_is_that_of_the_option(ctxlab, run, stage, name):
    words = [f"run={run}"] if stage == "eval" else MADE
    outcome = ctxlab(stage, *words, f"{name}=another")
    assert (outcome.status, outcome.calls) == (2, [])
    assert outcome.err.count("\n") == 1
    TOLD.append(f"{stage} {name}")


RESUMED = ("trainer.", "scheduler", "optimizer.lr", "tracking")
"""What a resumed run may change, and says so in its report."""


@pytest.mark.parametrize("name", cases([n for n in selected.keys("train", MADE) if not n.startswith(IGNORED)], 5))
def test_a_resumed_run_changes_only_what_it_says(ctxlab, run, name):
    (run / "checkpoints" / "step-00000001").mkdir(parents=True)
    key = selected.keys("train", MADE)[name]
    outcome = ctxlab("train", f"resume={run}", f"{name}={another(key)}")
    if name.startswith(RESUMED) and name not in ("trainer.tokens_per_step", "scheduler.name"):
        assert outcome.status in (0, 2)
        assert "cannot be changed" not in outcome.err
    else:
        assert (outcome.status, outcome.calls) == (2, [])
        assert "cannot be" in outcome.err
    TOLD.append(f"resume {name}")


@pytest.mark.by_default(1)
@pytest.mark.parametrize("words", [["data_seed=7"], ["data.max_documents=3"], ["folds=2"], ["fold=1"]])
def test_documents_that_were_trained_on_are_not_scored_as_others(ctxlab, words):
    """Without a validation file some training documents are held out, by seed and number."""
    Path("all.jsonl").touch()
    made = ctxlab("train", *MADE, "data.train_file=all.jsonl")
    assert made.status == 0
    outcome = ctxlab("eval", f"run={made.run_dir}", *words)
    assert (outcome.status, outcome.calls) == (2, [])
    Path("new.jsonl").touch()
    given = ctxlab("eval", f"run={made.run_dir}", "data.validation_file=new.jsonl", *words)
    assert given.status == (2 if "fold" in words[0] else 0)
    TOLD.append(str(words))


SMALL = [
    "model=tiny_bert", "strategy=truncate", "context=64", "data.documents=4", "data.validation_documents=2",
    "data.test_documents=2", "data.words_per_document=120", "trainer.max_steps=2", "tracking=none", "seed=3",
]  # fmt: skip


def f1(counts):
    """By the formula, from the counts of each document."""
    correct, predicted, gold = map(sum, zip(*((c["correct"], c["predicted"], c["gold"]) for c in counts), strict=True))
    return 2 * correct / max(predicted + gold, 1)


@pytest.mark.faults
def test_figures_and_labels_are_those_of_what_ran(tmp_path, monkeypatch, promise):
    """A real run, evaluated as it was, at another context, by another strategy, on other documents."""
    monkeypatch.chdir(tmp_path)
    assert main(["train", *SMALL, "hydra.run.dir=run"]) == 0
    trained = json.loads(Path("run/result.json").read_text())
    asked = {
        "same": ([], ("truncate", 64)),
        "shorter": (["context=32"], ("truncate", 32)),
        "whole": (["strategy=chunk"], ("chunk", 64)),
        "other": (["data_seed=9"], ("truncate", 64)),
    }
    assert main(["eval", "run=run", "task=lm", "hydra.run.dir=lm"]) == 2
    assert not Path("lm/result.json").exists()
    found = {}
    for name, (words, said) in asked.items():
        assert main(["eval", "run=run", "split=test", *words, f"hydra.run.dir={name}"]) == 0
        result = found[name] = json.loads((tmp_path / name / "result.json").read_text())
        assert (result["strategy"], result["context_length"]) == said
        assert (result["task"], result["model"], result["seed"]) == (trained["task"], trained["model"], 3)
        assert result["checkpoint"].endswith(trained["checkpoint"])
        report = (tmp_path / name / "report.md").read_text()
        assert f"{result['metrics']['test']['f1']:.3f}" in report
        assert all(str(part) in report for part in said)
    assert found["same"]["metrics"]["test"] == trained["metrics"]["test"]
    assert found["shorter"]["coverage"]["test"]["tokens"] < found["same"]["coverage"]["test"]["tokens"] < 1
    assert found["whole"]["coverage"]["test"]["tokens"] == 1
    rows = {name: [json.loads(line) for line in (tmp_path / name / "scores/test.jsonl").read_text().splitlines()]
            for name in asked}  # fmt: skip
    for name, own in rows.items():
        assert found[name]["metrics"]["test"]["f1"] == pytest.approx(f1(row["statistics"]["entities"] for row in own))
    ids = {name: {row["id"] for row in own} for name, own in rows.items()}
    assert ids["same"] == ids["whole"] == ids["shorter"]
    assert not ids["same"] & ids["other"]
    promise(
        "a run directory tells the truth",
        f"{len(TOLD)} changes of what training has settled, of labels and of the division of documents, by eval, "
        "predict, verify and resume=; four evaluations of one run",
        "every change refused by one sentence; labels, coverage and figures are those of what ran",
    )
