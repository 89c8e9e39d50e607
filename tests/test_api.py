"""The Python API gives what the command line gives."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

import ctxlab
from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.core.result import Verification
from tests.stages.conftest import result, train, trained  # noqa: F401


@pytest.fixture(scope="module")
def loaded(trained):  # noqa: F811
    return ctxlab.load(trained)


@pytest.fixture
def file(trained, tmp_path):  # noqa: F811
    """Documents with gold of the run's own types."""
    lines = (trained / "predictions" / "test.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    path = tmp_path / "gold.jsonl"
    path.write_text("".join(json.dumps({k: r[k] for k in ("id", "tokens", "tags")}) + "\n" for r in records))
    return path


def test_predictions_are_those_of_the_command(loaded, trained, tmp_path):  # noqa: F811
    texts = ["Ada Lovelace lived in London. " * 40, "Nobody came."]
    lines = "".join(json.dumps({"id": f"document-{i}", "text": text}) + "\n" for i, text in enumerate(texts))
    (tmp_path / "docs.jsonl").write_text(lines)
    words = ["predict", f"run={trained}", f"input={tmp_path / 'docs.jsonl'}", f"output={tmp_path / 'out.jsonl'}",
             f"hydra.run.dir={tmp_path / 'predict'}"]  # fmt: skip
    assert main(words) == 0
    assert loaded.predict(texts) == [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]


def test_scores_are_those_of_the_command(loaded, trained, file, tmp_path):  # noqa: F811
    words = ["eval", f"run={trained}", f"data.test_file={file}", "split=test", "context=128", "tracking=none",
             f"hydra.run.dir={tmp_path / 'eval'}"]  # fmt: skip
    assert main(words) == 0
    found = loaded.evaluate(file, context=128)
    assert found.metrics["test"] == result(tmp_path / "eval")["metrics"]["test"]
    assert found.context_length == 128


def test_a_mistake_is_a_sentence(loaded, tmp_path):
    with pytest.raises(UserError, match=r"missing\.jsonl"):
        loaded.evaluate(tmp_path / "missing.jsonl")
    with pytest.raises(UserError, match="document 0"):
        loaded.predict([{"nothing": 1}])


def test_results_lists_every_run(trained, tmp_path, caplog):  # noqa: F811
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "one").symlink_to(trained)
    (tmp_path / "outputs" / "damaged").mkdir()
    (tmp_path / "outputs" / "damaged" / "result.json").write_text("{")
    (found,) = ctxlab.results(trained)
    assert not isinstance(found.outcome, Verification)
    assert found.outcome.metrics["test"] == result(trained)["metrics"]["test"]
    assert ctxlab.results(tmp_path / "outputs" / "damaged") == []
    assert "damaged" in caplog.text


def test_the_version_is_that_of_the_distribution():
    assert ctxlab.__version__ == version("ctxlab")


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, ctxlab; print([m for m in ('torch', 'transformers', 'hydra', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
