"""The Python API gives the same results as the command line."""

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


@pytest.mark.slow
def test_records_of_other_tools_are_read_as_in_a_file(loaded, file, tmp_path):
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    marked = []
    for row in rows:  # doccano's triples, worked from words and tags by hand
        text, starts = " ".join(row["tokens"]), [0]
        for word in row["tokens"]:
            starts.append(starts[-1] + len(word) + 1)
        spans: list[list] = []
        for i, tag in enumerate(row["tags"]):
            if tag[:2] == "B-":
                spans.append([starts[i], starts[i + 1] - 1, tag[2:]])
            elif tag[:2] == "I-":
                spans[-1][1] = starts[i + 1] - 1
        marked.append({"id": row["id"], "text": text, "label": spans})
    (tmp_path / "doccano.jsonl").write_text("".join(json.dumps(one) + "\n" for one in marked))
    assert loaded.evaluate(marked).metrics == loaded.evaluate(tmp_path / "doccano.jsonl").metrics
    assert loaded.evaluate(rows).metrics == loaded.evaluate(file).metrics
    plain = loaded.predict([{"text": one["text"]} for one in marked[:2]])
    assert [one["tags"] for one in loaded.predict(marked[:2])] == [one["tags"] for one in plain]


def test_other_input_than_a_list_of_documents_is_refused_in_a_sentence(loaded):
    for given, says in (("Ada came.", "is one document: give a list"), ({"text": "x"}, "is one document"),
                        ([3], "Document 0 is of type int: give a text or a record")):  # fmt: skip
        with pytest.raises(UserError, match=says):
            loaded.predict(given)
    with pytest.raises(UserError, match="no documents to score"):
        loaded.evaluate([])
    assert loaded.predict([]) == []


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
