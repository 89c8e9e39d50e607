"""``ctxlab serve`` of what ``ctxlab export`` wrote, and what is personal in what it is sent."""

import json
import shutil

import pytest

from ctxlab.cli import main
from ctxlab.core import bundle
from tests.stages.conftest import train
from tests.stages.test_serve import ask, server

EMAIL = "canary7f3a@example.com"
RECORDS = [
    {"id": "long", "text": "The Brisk sailed from Port Ada to Halden. " * 40},
    {"id": "mail", "text": f"Ada wrote to {EMAIL} from Port Ada. " * 5},
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A bundle in ONNX of a run of one layer."""
    folder = tmp_path_factory.mktemp("exported")
    small = ("model.num_layers=1", "strategy=chunk", "context=64", "trainer.max_steps=2", "data.documents=3")
    assert train(folder / "the-run", *small) == 0
    words = [f"run={folder / 'the-run'}", "export=onnx", "documents=1", "tracking=none"]
    assert main(["export", *words, f"hydra.run.dir={folder / 'export'}"]) == 0
    return folder / "export" / bundle.FOLDER


@pytest.fixture(scope="module")
def served(exported, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "server"
    with server(exported, folder, "runtime=onnx", "privacy=patterns") as found:
        yield found


def test_a_bundle_answers_to_the_byte_as_predict_with_the_same_runtime(served, exported, tmp_path):
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    words = [f"input={tmp_path / 'in.jsonl'}", f"output={tmp_path / 'out.jsonl'}", "runtime=onnx", "privacy=patterns"]
    assert main(["predict", f"run={exported}", *words, "tracking=none", f"hydra.run.dir={tmp_path / 'p'}"]) == 0
    for record, line in zip(RECORDS, (tmp_path / "out.jsonl").read_text().splitlines(), strict=True):
        status, text = ask(served, record)
        assert status == 200
        assert text.startswith(f'{{"record": {line}, "coverage": ')
        assert EMAIL not in text
    facts, model = bundle.read(exported), json.loads(text)["model"]
    assert (model["run"], model["checkpoint"], model["sha256"]) == ("the-run", facts.checkpoint, facts.weights_sha256)
    assert len(json.loads(text)["record"]["protected"]) == 5


def test_explanations_of_a_bundle_hide_words_and_need_no_gradients(served):
    status, text = ask(served, {**RECORDS[0], "explanation": "gradient"}, "/v1/explain")
    assert (status, "needs the gradient of the model, which a bundle does not give" in text) == (422, True)
    status, text = ask(served, {"text": f"Ada wrote to {EMAIL}.", "explanation": "occlusion"}, "/v1/explain")
    found = json.loads(text)
    assert (status, found["record"]["protected"][0]["kind"], EMAIL in text) == (200, "EMAIL", False)


@pytest.mark.parametrize("fault", ["byte", "version", "runtime"])
def test_a_bundle_that_cannot_be_read_is_one_sentence(exported, tmp_path, refused, fault):
    copy = shutil.copytree(exported, tmp_path / "copied")
    if fault == "byte":
        content = bytearray((copy / "model.onnx").read_bytes())
        content[len(content) // 2] ^= 1
        (copy / "model.onnx").write_bytes(content)
    elif fault == "version":
        facts = json.loads((copy / bundle.FILE).read_text())
        (copy / bundle.FILE).write_text(json.dumps({**facts, "version": bundle.VERSION + 1}))
    runtime = "torch" if fault == "runtime" else "onnx"
    says = refused(["serve", f"run={copy}", f"runtime={runtime}", "serve.port=0", f"hydra.run.dir={tmp_path / 's'}"])
    wanted = {"byte": "model.onnx is damaged", "version": "is a bundle of version 2", "runtime": "give runtime=onnx"}
    assert wanted[fault] in says
    assert not (tmp_path / "s").exists()
