"""``ctxlab ask`` through the real command with a tiny reader that always answers: passages, places, refusals."""

import json

import pytest

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.workbench.asking.library import Passage, merged, open_library, passages_of, sentence_at
from ctxlab.workbench.asking.session import _located
from tests.stages.conftest import train

PUMP = "The pump is primed with oil. It stands in the cellar. The lamp is red.\n"
MILL = "Selgan lived behind the mill. Nobody knew why. The rope is long.\n"


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A run of task=qa that always answers."""
    folder = tmp_path_factory.mktemp("reader") / "run"
    options = ("task=qa", "strategy=chunk", "context=96", "data.documents=2", "data.validation_documents=1",
               "data.test_documents=0", "data.words_per_document=60", "data.evidence_distance=[16]",
               "trainer.max_steps=1", "task.no_answer_threshold=-1000")  # fmt: skip
    assert train(folder, *options) == 0
    return folder


@pytest.fixture
def manuals(tmp_path):
    folder = tmp_path / "manuals"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text(PUMP)
    (folder / "deep" / "b.md").write_text(MILL)
    (folder / ".hidden").write_bytes(b"\0\1")
    return folder


def ask(reader, manuals, folder, *options):
    return main(["ask", f"run={reader}", f"input={manuals}", "tracking=none", *options, f"hydra.run.dir={folder}"])


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_answers_name_their_place(reader, manuals, tmp_path, capsys):
    questions = tmp_path / "questions.jsonl"
    asked = ["What did Selgan live behind?", "Where is the pump?"]
    questions.write_text("".join(json.dumps({"question": one}) + "\n" for one in asked))
    run = tmp_path / "run"
    assert ask(reader, manuals, run, f"questions={questions}", "passages=1", "passage_words=4") == 0
    texts = {"a.txt": PUMP, "deep/b.md": MILL}
    told = lines(run / "answers.jsonl")
    assert [one["question"] for one in told] == asked
    for one, (document, sentence) in zip(told, [("deep/b.md", MILL[:29]), ("a.txt", PUMP[:28])], strict=True):
        (read,) = one["read"]
        assert (read["document"], texts[document][read["start"] : read["end"]].strip()) == (document, sentence)
        assert one["document"] == document
        assert one["answer"] == texts[document][one["start"] : one["end"]]
        assert one["support"] == {"text": sentence, "start": 0}
        characters = len("".join((PUMP + MILL).split()))
        assert one["share_read"] == pytest.approx(len(sentence.replace(" ", "")) / characters, abs=1e-6)
    assert "2 of 2 answered from 2 documents" in " ".join(capsys.readouterr().out.split())


def test_a_reader_that_finds_nothing_says_so(reader, manuals, tmp_path, capsys):
    run = tmp_path / "run"
    assert ask(reader, manuals, run, "question='Who?'", "task.no_answer_threshold=1000") == 0
    (told,) = lines(run / "answers.jsonl")
    assert (told["found"], told["answer"], told["support"]) == (False, "", None)
    assert "not in the documents" in capsys.readouterr().out


def test_a_run_of_task_retrieval_finds_passages(reader, manuals, tmp_path):
    finder = tmp_path / "finder"
    options = ("task=retrieval", "strategy=chunk", "context=96", "data.documents=4", "data.validation_documents=4",
               "data.test_documents=0", "data.words_per_document=40", "data.evidence_distance=[8]",
               "trainer.max_steps=1")  # fmt: skip
    assert train(finder, *options) == 0
    run = tmp_path / "run"
    assert ask(reader, manuals, run, "question=Where?", f"retriever={finder}", "passage_words=4", "passages=2") == 0
    (told,) = lines(run / "answers.jsonl")
    assert all(-1 <= one["score"] <= 1 for one in told["read"])


def test_questions_are_answered_as_they_are_typed(reader, manuals, tmp_path, monkeypatch, capsys):
    typed = iter(["Where is the pump?", "x " * 99, ""])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))
    assert ask(reader, manuals, tmp_path / "run") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert ", characters" in shown
    assert "The question '2' has" in shown
    assert len(lines(tmp_path / "run" / "answers.jsonl")) == 1


def refused(capsys, status, run):
    """The one sentence of a refusal, which leaves nothing behind."""
    assert status == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert not run.exists()
    return error.strip().splitlines()[-1]


BAD = [
    ((), r"There is no question: give question="),
    (("question=a", "questions=b"), "are both given"),
    (("question=a", "passages=0"), "passages=0 is too small"),
    (("question=a", "retriever=nowhere"), "retriever=nowhere is not the directory of a run"),
    (("questions=missing.jsonl",), "questions=missing.jsonl cannot be read"),
    (("question='" + "x " * 99 + "'",), "The question '1' has 99 tokens"),
]


@pytest.mark.by_default(3)
@pytest.mark.parametrize(("options", "sentence"), BAD)
def test_what_cannot_work_is_one_sentence(options, sentence, reader, manuals, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    found = refused(capsys, ask(reader, manuals, run, *options), run)
    assert sentence in found or "tokens, more than half of a window" in found


def test_bad_documents_are_named(reader, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    run = tmp_path / "run"
    assert f"input={empty} has no document" in refused(capsys, ask(reader, empty, run, "question=a"), run)
    (empty / "x.txt").write_bytes(b"\xff\xfe\0")
    assert "x.txt is no text that can be read" in refused(capsys, ask(reader, empty, run, "question=a"), run)
    nowhere = tmp_path / "nowhere"
    assert f"input={nowhere} does not exist" in refused(capsys, ask(reader, nowhere, run, "question=a"), run)


def test_runs_of_other_tasks_are_refused(reader, trained, manuals, tmp_path, capsys):
    run = tmp_path / "run"
    found = refused(capsys, ask(trained, manuals, run, "question=a"), run)
    assert "reads with a run of task=qa, and this one is of task=ner" in found
    found = refused(capsys, ask(reader, manuals, run, "question=a", f"retriever={trained}"), run)
    assert "is a run of task=ner: give one of task=retrieval" in found


@pytest.mark.parametrize("words", [1, 7, 40, 1000])
@pytest.mark.parametrize("text", [PUMP, "no full stop " * 90, "\n\nA heading\n\n" + MILL + "\n" + PUMP, "x"])
def test_passages_are_the_text_and_end_with_sentences(text, words):
    found = list(passages_of(0, text, words))
    assert "".join(text[one.start : one.end] for one in found).strip() == text.strip()
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]
    assert all(len(text[one.start : one.end].split()) >= words for one in found[:-1])
    assert all(len(text[one.start : one.end].split()) < 3 * words for one in found)


def test_passages_of_a_script_without_blanks_are_as_long_as_others():
    """A character is a word: the text has 10 sentences of 9 characters, each with its full stop."""
    text = "水泵在地下室里面转。" * 10
    found = [text[one.start : one.end] for one in passages_of(0, text, 18)]
    assert found == ["水泵在地下室里面转。" * 2] * 5
    assert len(list(passages_of(0, "水" * 100, 10))) == 5  # a text without full stops, in pieces of twice as many


def test_neighbours_are_read_as_one_text():
    a, b, c, other = Passage(0, 0, 10), Passage(0, 10, 20), Passage(0, 20, 30), Passage(1, 10, 20)
    assert merged([c, other, a]) == [c, other, a]
    assert merged([b, other, c]) == [Passage(0, 10, 30), other]
    assert merged([other, c, b, a]) == [other, Passage(0, 0, 30)]


def test_the_sentence_of_an_answer_and_a_generated_answer_are_found():
    whole = Passage(0, 0, len(PUMP))
    start = PUMP.index("cellar")
    first, last = sentence_at(PUMP, start, start + 6, whole)
    assert PUMP[first:last] == "It stands in the cellar."
    assert _located({"answer": "Cellar"}, [MILL, PUMP]) == (1, start, start + 6)
    assert _located({"answer": "elsewhere"}, [MILL, PUMP]) == (0, None, None)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [("{", "line 1 is no JSON"), ('{"q": 1}', "The field 'question' of"), ("", "has no question")],
)
def test_a_bad_file_of_questions_is_named(line, sentence, reader, manuals, tmp_path, capsys):
    file, run = tmp_path / "q.jsonl", tmp_path / "run"
    file.write_text(line)
    assert sentence in refused(capsys, ask(reader, manuals, run, f"questions={file}"), run)


def test_lines_of_json_are_documents(tmp_path):
    file = tmp_path / "d.jsonl"
    file.write_text(json.dumps({"id": "pump", "text": PUMP}) + "\n")
    assert [one.id for one in open_library(str(file), 100).manuals] == ["pump"]
    file.write_text(json.dumps({"id": "pump", "body": PUMP}) + "\n")
    with pytest.raises(UserError, match=r"The field 'text' of \S*d.jsonl line 1"):
        open_library(str(file), 100)
