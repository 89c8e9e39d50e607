"""docs/recipes.md: its commands train, and its code makes records as the built-in corpus has them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ctxlab.cli import main
from ctxlab.command.compose import compose
from ctxlab.config.limits import validate
from ctxlab.data.sources.generated import Generated

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "recipes.md").read_text(encoding="utf-8")
COMMANDS = {
    re.search(r"data\.corpus=(\w+)", line).group(1): line.split()[2:]
    for line in re.findall(r"^ctxlab train .*$", PAGE, re.MULTILINE)
}
(CODE,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TINY = {"model": "tiny_bert", "data.documents": "48", "data.validation_documents": "6", "data.test_documents": "0",
        "trainer.max_tokens": "300", "tracking": "none"}  # fmt: skip


def test_every_recipe_has_keys_that_exist():
    assert sorted(COMMANDS) == ["emotion", "intent", "routing", "sentiment"]
    for words in COMMANDS.values():
        validate(compose("train", words))


@pytest.mark.slow
@pytest.mark.parametrize("corpus", COMMANDS)
def test_a_recipe_trains_and_reports_every_class(corpus, tmp_path):
    kept = [word for word in COMMANDS[corpus] if word.split("=")[0] not in TINY]
    small = [f"{key}={value}" for key, value in TINY.items()]
    assert main(["train", *kept, *small, f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    found = json.loads((tmp_path / "run" / "result.json").read_text())
    assert found["task"] == "classification"
    report = (tmp_path / "run" / "report.md").read_text()
    source = Generated(48, corpus=corpus, words_per_document=120)
    for record in source.load("classification", "train", 1):
        assert record.fields["label"] in report


def test_the_code_makes_a_text_of_every_turn_as_the_built_in_corpus_has_them(tmp_path):
    source = Generated(6, corpus="emotion", words_per_document=126)
    records = [record.fields for record in source.load("classification", "train", 1)]
    turns = []
    for record in records:
        speaker, _, said = record["text"].split("\n")[-1].partition(": ")
        turns.append({"speaker": speaker, "text": said, "label": record["label"]})
    (tmp_path / "conversations.jsonl").write_text(json.dumps({"id": "c", "turns": turns}) + "\n")
    told = subprocess.run([sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert [json.loads(line) for line in told.splitlines()] == [
        {"id": f"c-{number}", "text": record["text"], "label": record["label"]}
        for number, record in enumerate(records, 1)
    ]
