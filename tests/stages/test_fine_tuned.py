"""Models fine-tuned elsewhere, without a run directory, answer like the run that their weights came from."""

import json
import shutil

import pytest

from ctxlab.cli import main
from ctxlab.training import checkpoint
from tests.stages.conftest import result

PROSE = "Ora Lund went to Port Brisk.\nShe met Mika there, and both were glad.\n"


@pytest.fixture(scope="module")
def published(trained, tmp_path_factory):
    """The weights of a run as another tool would have saved them, labels in another order."""
    folder = tmp_path_factory.mktemp("published") / "tagger"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(checkpoint.find(trained, "best") / name, folder / name)
    return folder


def reordered(folder, target):
    """The same model with its outputs in the opposite order, names and rows together."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, target)
    weights = load_file(target / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = weights[name].flip(0).contiguous()
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((target / "config.json").read_text())
    names = [config["id2label"][str(index)] for index in range(len(config["id2label"]))][::-1]
    config |= {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}
    (target / "config.json").write_text(json.dumps(config))
    return target


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_tagger_answers_without_a_run(trained, published, tmp_path):
    (tmp_path / "p.txt").write_text(PROSE)
    target = reordered(published, tmp_path / "other")
    for name, options in {
        "run": [f"run={trained}"],
        "same": [f"model.path={published}", "context=256"],
        "reordered": [f"model.path={target}", "context=256"],
        "cut": [f"model.path={target}", "context=16", "strategy=truncate"],
    }.items():
        command = ["predict", *options, f"input={tmp_path / 'p.txt'}", f"output={tmp_path / name}.jsonl"]
        assert main(command) == 0
    (right,) = lines(tmp_path / "run.jsonl")
    assert " ".join(right["tokens"]) == "Ora Lund went to Port Brisk . She met Mika there , and both were glad ."
    assert lines(tmp_path / "same.jsonl") == [right]
    assert lines(tmp_path / "reordered.jsonl") == [right]
    (cut,) = lines(tmp_path / "cut.jsonl")
    assert set(cut["tags"][15:]) == {"O"}  # what was not read is outside, wherever the model has that tag


def test_a_tagger_is_scored_without_a_run(trained, published, tmp_path):
    rows = lines(next((trained / "predictions").glob("validation.jsonl")))
    file = tmp_path / "v.jsonl"
    file.write_text("".join(json.dumps({"tokens": r["tokens"], "tags": r["tags"]}) + "\n" for r in rows))
    scores = []
    for name, options in {"run": [f"run={trained}"], "path": [f"model.path={published}", "context=256"]}.items():
        command = [
            "eval",
            *options,
            f"data.validation_file={file}",
            "tracking=none",
            f"hydra.run.dir={tmp_path / name}",
        ]
        assert main(command) == 0
        scores.append(result(tmp_path / name)["metrics"])
    assert scores[0] == scores[1]


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["model=tiny_bert"], "needs a trained head"),
        (["task=classification"], "needs a trained head"),
        (["task.labels=[ELSE]"], "has no token_classification head"),
    ],
)
def test_what_has_no_such_head_is_refused(published, tmp_path, refused, options, says):
    (tmp_path / "p.txt").write_text(PROSE)
    path = [] if options == ["model=tiny_bert"] else [f"model.path={published}"]
    command = [
        "predict",
        *path,
        *options,
        "context=256",
        f"input={tmp_path / 'p.txt'}",
        f"output={tmp_path / 'o.jsonl'}",
    ]
    assert says in refused(command)


def test_labels_that_are_no_tags_are_refused(published, tmp_path, refused):
    config = json.loads((published / "config.json").read_text())
    names = {index: f"name{index}" for index in range(len(config["id2label"]))}
    shutil.copytree(published, tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text(
        json.dumps({**config, "id2label": names, "label2id": {name: index for index, name in names.items()}})
    )
    (tmp_path / "p.txt").write_text(PROSE)
    command = ["predict", f"model.path={tmp_path / 'm'}", "context=256", f"input={tmp_path / 'p.txt'}"]
    assert "which are not BIO tags" in refused([*command, f"output={tmp_path / 'o.jsonl'}"])
