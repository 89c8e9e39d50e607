"""``ctxlab predict privacy=…`` through the real command: what was planted is in no file that it leaves."""

import json
import shutil
from pathlib import Path

import pytest

import ctxlab
from ctxlab.cli import main
from ctxlab.core.data import Record
from ctxlab.evaluation.answerer import Answerer
from ctxlab.privacy.patterns import Patterns
from tests.privacy.invented import document


@pytest.fixture
def predict(tmp_path):
    """The command of a run on records, and the lines that it writes."""

    def run(folder: Path, *records: dict, options: tuple[str, ...] = ("privacy=patterns",)) -> list[dict]:
        source, output = tmp_path / "docs.jsonl", tmp_path / "out" / "o.jsonl"
        source.write_text("".join(json.dumps(record) + "\n" for record in records))
        output.parent.mkdir(exist_ok=True)
        shutil.rmtree(tmp_path / "out" / "p", ignore_errors=True)
        words = ["predict", f"run={folder}", f"input={source}", f"output={output}", "overwrite=true", "tracking=none"]
        assert main([*words, *options, f"hydra.run.dir={tmp_path / 'out' / 'p'}"]) == 0
        return [json.loads(line) for line in output.read_text().splitlines()]

    return run


def test_planted_data_is_in_no_file_and_places_are_those_of_the_original(
    trained, tmp_path, predict, monkeypatch, capfd
):
    monkeypatch.setenv("CTXLAB_CACHE", str(tmp_path / "out" / "cache"))
    texts = {}
    planted = []
    for seed in range(4):  # longer than a window, so that something lies across the border of two
        text, places = document(seed, count=60)
        texts[f"d{seed}"] = text
        planted += [text[start:end] for _, start, end in places]
    lines = predict(trained, *({"id": name, "text": text} for name, text in texts.items()))
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    seen = written + "".join(capfd.readouterr()).encode()
    assert len(seen) > 10_000
    assert [one for one in planted if one.encode() in seen] == []
    for line in lines:
        text = texts[line["id"]]
        words = {text[one["start_char"] : one["end_char"]]: one["text"] for one in line["entities"]}
        assert all(word.startswith("_") or word == original for original, word in words.items())
        assert len(line["protected"]) == 60


def test_names_that_a_run_finds_are_replaced(trained, predict):
    text = "The Brisk sailed from Port Ada to Halden, write to a@example.com."
    plain = predict(trained, {"id": "a", "text": text}, options=())[0]
    assert "protected" not in plain
    options = ("privacy=model", f"privacy.run={trained}")
    found = predict(trained, {"id": "a", "text": text}, options=options)[0]
    spans = {(one["start_char"], one["end_char"]) for one in plain["entities"]}
    replaced = {(one["start_char"], one["end_char"]) for one in found["protected"]}
    assert spans
    assert all(any(start <= a and b <= end for start, end in replaced) for a, b in spans)
    assert any("_EMAIL_" in word for word in found["tokens"])


def test_an_answerer_protects_the_records_that_it_is_given(trained):
    run = ctxlab.load(trained)
    given = run._bench.answerer()
    answerer = Answerer(given.task, given.encode, given.reader, Patterns("tag"))
    record = Record({"id": "a", "text": "Write to a@example.com from Port Ada."}, "the document")
    answers = list(answerer.answers(answerer.documents([record])))
    assert "example" not in json.dumps(answers[0].record)
    assert answers[0].record["protected"] == [{"field": "text", "kind": "EMAIL", "start_char": 9, "end_char": 22}]
    plain = list(given.answers(given.documents([record])))
    assert "protected" not in plain[0].record


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("privacy=pattern",), "did you mean 'patterns'"),
        (("privacy=patterns", "privacy.style=stars"), "privacy.style=stars is not known: use mask, tag or pseudonym."),
        (("privacy=patterns", "privacy.kinds=[emial]"), "privacy.kinds has 'emial'"),
        (("privacy=patterns", "privacy.key=abc"), "privacy.key has 3 characters"),
        (("privacy=model",), "privacy=model needs a run that finds names: give privacy.run="),
        (("privacy=model", "privacy.run=nowhere"), "privacy.run=nowhere does not exist"),
        (("privacy=model", "privacy.run=."), "privacy.run=. is not the directory of a run"),
    ],
)
def test_bad_values(trained, tmp_path, refused, monkeypatch, options, expected):
    (tmp_path / "docs.jsonl").write_text('{"text": "a b"}\n')
    monkeypatch.chdir(tmp_path)
    words = ["predict", f"run={trained}", "input=docs.jsonl", "output=out.jsonl", "hydra.run.dir=p", "tracking=none"]
    assert expected in refused([*words, *options])
    assert not (tmp_path / "out.jsonl").exists()
    assert not (tmp_path / "p").exists()
