"""Commands on documents in other scripts: warnings about unknown characters, and a whole run on bytes."""

import json

import pytest

from ctxlab.cli import main

SENTENCES = ["鲸鱼住在大海里。", "渔夫每天出海。", "灯塔照亮港口。"]


def result(run):
    return json.loads((run / "result.json").read_text(encoding="utf-8"))


@pytest.fixture
def chinese(tmp_path):
    path = tmp_path / "海.jsonl"
    lines = [json.dumps({"id": str(i), "content": "".join(SENTENCES * 3)}, ensure_ascii=False) for i in range(2)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def evaluate(path, run, *more):
    return main(["eval", "model=tiny_llama", "task=lm", f"data.validation_file={path}", "context=256",
                 "strategy=truncate", "tracking=none", f"hydra.run.dir={run}", *more])  # fmt: skip


def test_unknown_characters_are_warned_of_and_charged(chinese, tmp_path, capsys):
    assert evaluate(chinese, tmp_path / "run", "model.vocabulary=letters") == 0
    found = result(tmp_path / "run")
    assert found["language"] == "zh"
    assert found["coverage"]["validation"]["characters"] < 0.2  # it has no Chinese character
    assert any(note.startswith("WARNING") and "unknown" in note for note in found["notes"])
    assert any("'content' as 'text'" in note for note in found["notes"])
    assert found["metrics"]["validation"]["bits_per_character"] > 5
    assert "coverage, characters" in capsys.readouterr().out


def test_bytes_know_every_character_and_say_what_they_cost(chinese, tmp_path):
    assert evaluate(chinese, tmp_path / "run", "task.language=ja") == 0
    found = result(tmp_path / "run")
    assert found["language"] == "ja"
    assert found["coverage"]["validation"]["characters"] == 1
    assert any("several tokens" in note for note in found["notes"])


@pytest.mark.slow
def test_a_run_on_the_chinese_grammar(tmp_path):
    run, output = tmp_path / "run", tmp_path / "out.jsonl"
    words = ["data.language=zh", "data.documents=4", "data.validation_documents=2", "data.test_documents=0"]
    assert main(["train", "model=tiny_bert", "task=ner", "context=256", "strategy=chunk",
                 "trainer.max_steps=2", "tracking=none", "data.words_per_document=120", "data.evidence_distance=[16]",
                 f"hydra.run.dir={run}", *words]) == 0  # fmt: skip
    assert result(run)["language"] == "zh"
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": "".join(SENTENCES)}), encoding="utf-8")
    assert main(["predict", f"run={run}", f"input={tmp_path / 'in.jsonl'}", f"output={output}", "tracking=none",
                 f"hydra.run.dir={tmp_path / 'p'}"]) == 0  # fmt: skip
    assert "".join(json.loads(output.read_text(encoding="utf-8"))["tokens"]) == "".join(SENTENCES)
