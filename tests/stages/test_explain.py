"""``ctxlab explain`` through the real command: what it writes, checks and refuses, and the same from Python."""

import json
from pathlib import Path

import numpy as np
import pytest

import ctxlab
from ctxlab.cli import main
from ctxlab.workbench.explaining import again
from tests.stages.conftest import train


def write(path: Path, *records: dict) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


TEXTS = [
    {"id": "a", "text": "We went on. The sun is here. It was late."},
    {"id": "b", "text": "We went on. We went on. The rain is here. It was late."},
]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Path:
    """A classifier that reads one word of a short text."""
    folder = tmp_path_factory.mktemp("classifier")
    records = [
        {
            "text": f"{'We went on. ' * (n % 3)}The {'sun' if n % 2 else 'rain'} is here. It was late.",
            "label": ["wet", "dry"][n % 2],
        }
        for n in range(24)
    ]
    source = write(folder / "train.jsonl", *records)
    options = (
        "task=classification",
        f"data.train_file={source}",
        "trainer.max_steps=60",
        "trainer.tokens_per_step=256",
    )
    assert train(folder / "run", *options, "strategy=chunk", "context=64", "optimizer.lr=3e-3", "model.dropout=0") == 0
    return folder / "run"


@pytest.fixture
def explain(tmp_path):
    """The command of a run; its directory and lines."""

    def run(folder: Path, *options: str) -> tuple[Path, list[dict]]:
        out = tmp_path / f"x{len(list(tmp_path.iterdir()))}"
        words = ["explain", f"run={folder}", "tracking=none", *options, f"hydra.run.dir={out}"]
        assert main(words) == 0
        return out, lines(out / "explanations.jsonl")

    return run


@pytest.mark.by_default("integrated", "shapley")
@pytest.mark.parametrize("name", ["gradient", "integrated", "occlusion", "shapley", "rollout"])
def test_every_mechanism_explains_labels_of_files(classifier, tmp_path, explain, name):
    source = write(tmp_path / "in.jsonl", *TEXTS)
    out, found = explain(classifier, f"input={source}", f"explanation={name}", "checks=1")
    assert [one["id"] for one in found] == ["a", "b"]
    predicted = tmp_path / "p.jsonl"
    assert main(["predict", f"run={classifier}", f"input={source}", f"output={predicted}", "tracking=none"]) == 0
    assert [one["record"] for one in found] == lines(predicted)
    for one in found:
        (target,) = one["targets"]
        assert target["name"] == f"label {one['record']['label']}"
        sentences = target["sentences"]
        assert "".join(one["text"][s["start"] : s["end"]] for s in sentences).replace(" ", "") == one["text"].replace(
            " ", ""
        )
        if target["words"] is not None:
            assert np.sum([w["value"] for w in target["words"]]) == pytest.approx(
                np.sum([s["value"] for s in sentences]), rel=1e-3, abs=1e-4
            )
    data = json.loads((out / "explain.json").read_text())
    assert data["checks"]["declared reach"]["passed"] is None
    assert {"index.html", "explanation.png", "report.md"} <= {path.name for path in out.iterdir()}
    if name in ("integrated", "shapley"):
        assert data["checks"]["completeness"]["passed"] is True
        first = found[0]["targets"][0]
        total = np.sum([s["value"] for s in first["sentences"]])
        assert total == pytest.approx(first["score"] - first["base_score"], rel=0.06)


def test_the_word_that_decides_is_on_top(classifier, tmp_path, explain):
    source = write(tmp_path / "in.jsonl", *TEXTS)
    for name in ("occlusion", "integrated"):
        _, found = explain(classifier, f"input={source}", f"explanation={name}", "checks=0")
        tops = [max(one["targets"][0]["words"], key=lambda word: word["value"]) for one in found]
        words = [one["text"][top["start"] : top["end"]] for one, top in zip(found, tops, strict=True)]
        assert words == ["sun", "rain"]


def test_entities_of_the_runs_test_documents_with_their_evidence(trained, explain):
    """An untrained tagger says something of many words: windows, reach, evidence and notes are those of the run."""
    few = ("documents=2", "targets=3", "checks=2", "drawn=1")
    out, found = explain(trained, "explanation=gradient", *few, "context=64", "strategy=chunk")
    data = json.loads((out / "explain.json").read_text())
    assert all(len(one["targets"]) == 3 for one in found)
    assert all(one["targets_left_out"] > 0 for one in found)
    assert data["checks"]["declared reach"]["passed"] is True
    assert "outside of the declared reach" in data["checks"]["declared reach"]["detail"]
    assert any("raise targets=" in note for note in data["notes"])
    for one in found:
        for target in one["targets"]:
            ((start, end),) = target["marked"]
            assert one["text"][start:end] in target["name"]
            nonzero = [word["value"] != 0 for word in target["words"]]
            assert 0 < sum(nonzero) <= 62  # a window's worth of words
    page = (out / "index.html").read_text()
    assert page.count('class="document"') == 1


def test_random_weights_are_put_back(classifier):
    import torch

    model = ctxlab.load(str(classifier)).model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with again.shuffled(model, 0):
        moved = [name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])]
        assert len(moved) > 5
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.slow
def test_from_python_it_is_the_same(classifier, tmp_path, explain):
    source = write(tmp_path / "in.jsonl", *TEXTS)
    _, found = explain(classifier, f"input={source}", "explanation=occlusion", "explanation.unit=sentence", "checks=0")
    run = ctxlab.load(str(classifier))
    assert (
        run.explain([one["text"] for one in TEXTS], "occlusion", unit="sentence")[1]["targets"] == found[1]["targets"]
    )


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("explanation=gradeint",), "did you mean 'gradient'"),
        (("explanation.stepz=3",), "explanation.steps"),
        (("explanation.steps=0",), "explanation.steps=0 is too small"),
        (
            ("explanation=occlusion", "explanation.unit=line"),
            "explanation.unit=line is not known: use word or sentence",
        ),
        (("input=none.jsonl",), "none.jsonl"),
        (("targets=0",), "targets=0"),
        (("explanation=occlusion", "explanation.most=2"), "words would be read"),
        (("explanation=shapley", "explanation.most=1"), "use explanation=occlusion explanation.unit=sentence"),
    ],
)
def test_bad_values(trained, tmp_path, refused, options, expected):
    assert expected in refused(
        ["explain", f"run={trained}", "tracking=none", *options, f"hydra.run.dir={tmp_path / 'x'}"]
    )
    assert not (tmp_path / "x" / "explanations.jsonl").exists()


def test_other_tasks_are_refused_in_one_sentence(tmp_path, refused):
    source = write(tmp_path / "pool.jsonl", {"text": "a b c"})
    words = ["explain", "task=mlm", "model=tiny_bert", f"input={source}", f"hydra.run.dir={tmp_path / 'x'}"]
    assert "task=mlm with these options has no answer that ctxlab explain can take apart" in refused(words)


def test_the_next_token_of_a_language_model(tmp_path):
    source = write(tmp_path / "in.jsonl", {"text": "One sentence is here. Another one is there and"})
    out = tmp_path / "x"
    words = [
        "explain",
        "task=lm",
        "model=tiny_gpt2",
        "strategy=chunk",
        "context=128",
        f"input={source}",
        "tracking=none",
    ]
    assert main([*words, "explanation=shapley", "checks=1", f"hydra.run.dir={out}"]) == 0
    (target,) = lines(out / "explanations.jsonl")[0]["targets"]
    assert target["name"].startswith("next token '")
    assert [s["start"] for s in target["sentences"]] == [0, 22]
