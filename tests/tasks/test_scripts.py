"""Tasks on scripts without spaces or with combining marks: cases worked by hand, with byte and letter tokenizers."""

from types import SimpleNamespace

import numpy as np
import pytest
from transformers import BertTokenizer

from ctxlab.core.types import NO_LABEL, SENTENCE, Document, Merged, Prediction
from ctxlab.models.loading.tiny import make_byte_tokenizer, make_tokenizer
from ctxlab.tasks.forms.marking import best_words
from ctxlab.tasks.generation import read_constraints
from ctxlab.tasks.generative.base import GenerativeTask
from ctxlab.tasks.generative.prompts import Prompt
from ctxlab.tasks.generative.qa import GenerativeQA
from ctxlab.tasks.lm import LM
from ctxlab.tasks.ner import NER
from ctxlab.tasks.probe import Probe
from ctxlab.tasks.qa import QA
from ctxlab.tasks.records.probes import probe_fields
from ctxlab.tasks.summarization import Summarization, kept_text
from ctxlab.tasks.text.encoding import encode_text, invents_blanks
from ctxlab.tasks.text.subwords import needs_leading_space, split_words
from ctxlab.tasks.translation import rendered

BYTES = make_byte_tokenizer()
TEXT = "鲸鱼在海里。密码是青龙。船在岸边。"


def character_tokenizer(text="一二三鲸鱼在海里密码是青龙船岸边हिंदीथाcafesmol。,.?"):
    """A BERT tokenizer that lower-cases and strips marks, so that its offsets leave them out."""
    tokens = dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *text, *(f"##{c}" for c in text)])
    return BertTokenizer(vocab={token: i for i, token in enumerate(tokens)}, do_lower_case=True)


def merged(encoded, outputs):
    return Merged(np.asarray(outputs, np.float32), np.ones(len(encoded), bool))


def test_word_ids_of_characters_are_one_each():
    pieces = encode_text(BYTES, "在海里 ab")
    assert pieces.word_ids.tolist() == [0, *[0] * 3, *[1] * 3, *[2] * 3, 3]  # the blank before a text is a token


def test_an_answer_keeps_the_marks_that_the_tokenizer_strips():
    tokenizer, context, answer = character_tokenizer(), "यह हिंदी है", "हिंदी"
    task = QA()
    start = context.index(answer)
    record = {"id": "1", "context": context, "question": "?", "answers": [{"text": answer, "answer_start": start}]}
    (document,) = task.expand(task.parse(record, "here", gold=True))
    (encoded,) = task.encode([document], tokenizer)
    scores = np.full((len(encoded), 2), -9.0)
    scores[(encoded.labels & 1) > 0, 0] = scores[(encoded.labels & 2) > 0, 1] = 9
    found = task.decode(document, encoded, merged(encoded, scores)).answer
    assert (found.text, found.start, found.end) == (answer, start, start + len(answer))


def scored(tokenizer, text, marked, high=5.0):
    task = Probe(form="marking")
    record = {"id": "1", "text": text, "question": "?", "answers": [marked], "spans": []}
    (encoded,) = task.encode([task.parse(record, "here", gold=True)], tokenizer)
    place = text.index(marked)
    inside = (encoded.starts < place + len(marked)) & (encoded.ends > place)
    return encoded, merged(encoded, np.where(inside, high, -1.0)[:, None])


def test_a_marked_word_goes_on_over_its_characters_and_stops_at_punctuation():
    encoded, outputs = scored(BYTES, TEXT, "青龙")
    assert best_words(TEXT, encoded, outputs, 1) == ["青龙"]
    assert best_words(TEXT, encoded, merged(encoded, np.ones((len(encoded), 1))), 1) == ["鲸鱼在海里"]


def test_marking_everything_gives_a_short_text():
    text = "鲸" * 500
    encoded, _ = scored(BYTES, text, "鲸")
    (found,) = best_words(text, encoded, merged(encoded, np.ones((len(encoded), 1))), 1)
    assert len(found) == 8


def test_marked_words_with_blanks_stay_single():
    text = "the red whale sleeps"
    encoded, outputs = scored(make_tokenizer(), text, "red whale")
    assert best_words(text, encoded, outputs, 2) == ["red", "whale"]


def test_a_probe_without_length_and_spans_counts_and_finds_characters():
    fields = probe_fields({"text": TEXT, "question": "?", "answers": ["青龙"]}, "text", "here", gold=True)
    assert fields["length"] == 16
    document = Probe(form="marking").parse({"text": TEXT, "question": "?", "answers": ["青龙"]}, "here", gold=True)
    assert document.fields["spans"] == [[TEXT.index("青龙"), TEXT.index("青龙") + 2]]


def test_plain_text_is_tagged_character_by_character():
    document = NER(labels=["PER"]).parse({"text": "王芳 likes 北京。"}, "here", gold=False)
    assert document.fields["tokens"] == ["王", "芳", "likes", "北", "京", "。"]


def test_an_entity_is_cut_from_running_text():
    task, tags = NER(labels=["LOC"]), ["O", "B-LOC", "I-LOC", "O"]
    document = task.parse({"tokens": ["在", "北", "京", "app"], "tags": tags}, "here", gold=True)
    (entity,) = task.record(document, Prediction("1", tags, [True] * 4))["entities"]
    assert (entity["text"], entity["start_char"], entity["end_char"]) == ("北京", 1, 3)


def test_characters_get_no_blank_in_byte_level_tokenizers():
    words = ["用", "iPhone", "拍", "照", "。"]
    split = split_words(BYTES, words, leading_space=needs_leading_space(BYTES))
    assert BYTES.decode(split.input_ids.tolist()) == " 用 iPhone 拍照。"  # as in running text
    assert set(split.word_ids.tolist()) == set(range(5))


def test_generated_text_drops_an_unfinished_character():
    task = Summarization()
    task.for_kind("decoder")
    task.prepare(BYTES)
    ids = np.asarray(BYTES("海里", add_special_tokens=False)["input_ids"])
    texts = [task.text_of(SimpleNamespace(token_ids=ids[:count])) for count in range(len(ids) + 1)]
    assert texts == ["", "", "", "", "海", "海", "海", "海里"]  # the blank before a text is a token


def test_generated_wordpieces_have_no_invented_blanks():
    tokenizer = character_tokenizer()
    assert invents_blanks(tokenizer)
    assert not invents_blanks(BYTES)
    task = GenerativeQA({}, Prompt("", "答案：", 0, 60))
    task.for_kind("decoder")
    task._tokenizer = tokenizer
    for text, expected in (("密码是青龙。", "密码是青龙。"), ("some cafes", "some cafes")):
        ids = np.asarray(tokenizer(text, add_special_tokens=False)["input_ids"])
        assert task.text_of(SimpleNamespace(token_ids=ids)) == expected


@pytest.mark.parametrize("text", ["无法回答", "无法回答。", "「无法回答」", " 无法回答！ "])
def test_the_phrase_for_no_answer_is_known_in_full_width(text):
    task = GenerativeQA({}, Prompt("", "", 0, 60), no_answer="无法回答")
    assert task._is_none(text)
    assert not task._is_none(f"{text}吗")


def test_excerpts_are_cut_in_characters():
    task = Summarization(example_words=6)
    document = Document("1", {"document": TEXT * 50}, "o")
    assert task.excerpt(document, 6) == "鲸鱼在海里。密"
    asked = {"context": TEXT * 9, "question": "?", "answers": [{"text": "青龙", "start": 9, "end": 11}], "group": "g"}
    written = GenerativeQA({}, Prompt("", "", 0, 60))
    assert written.excerpt(Document("1", asked, "o"), 6) == "码是青龙。船在"


def test_kept_characters_are_there_once_and_without_blanks():
    task = Summarization(output="extract")
    task.for_kind("decoder")
    (document,) = task.expand(task.parse({"id": "1", "document": TEXT, "summary": "x"}, "here", gold=True))
    (encoded,) = task.encode([document], BYTES)
    seen = np.ones(len(encoded), bool)
    seen[5] = False  # the second byte of 鱼, after the blank before the text
    assert kept_text(TEXT, encoded, SimpleNamespace(seen=seen)) == TEXT.replace("。", "。\n").strip()
    seen[4:7] = False
    assert kept_text(TEXT, encoded, SimpleNamespace(seen=seen)).startswith("鲸在海里")


def test_sentences_of_a_translation_are_paired_across_paragraphs():
    source, target = "风停了。\n\n雨也停了。", "The wind fell. The rain stopped, too."
    document = Document("1", {"source": source, "target": target}, "o")
    assert [(piece, middle) for piece, middle in rendered(document)] == [
        ("The wind fell.", 3.0), ("The rain stopped, too.", 8.5),
    ]  # fmt: skip


def test_targets_of_chinese_sentences_are_joined_without_blanks():
    class Two(GenerativeTask):
        name = "two"

        def parse(self, record, origin, *, gold):
            raise NotImplementedError

        def source(self, document):
            return "x"

        def target(self, document):
            return document.fields["target"]

        def anchors(self, document, starts):
            return [(piece, 0) for piece in document.fields["target"]]

    task = Two({}, Prompt("", "", 0, 60), "join")
    task.for_kind("decoder")
    for pieces, expected in ((["风停了。", "雨也停了。"], "风停了。雨也停了。"), (["A b.", "C d."], " A b. C d.")):
        (encoded,) = task.encode([Document("1", {"target": pieces}, "o")], BYTES)
        assert BYTES.decode(encoded.target.tolist()[:-1]).lstrip() == expected.lstrip()


def test_marks_of_thai_without_stops():
    text = "เขาเดินไปตลาดเช้านี้ แม่กำลังทำอาหารอยู่ เด็กเล่นน้ำในคลอง"
    marks = encode_text(BYTES, text).marks
    assert int((marks & SENTENCE > 0).sum()) == 3


def test_abbreviations_of_a_documents_language():
    text = "Siehe Kap. Drei genau an."
    counts = [int((encode_text(BYTES, text, language).marks & SENTENCE > 0).sum()) for language in ("", "de")]
    assert counts == [2, 1]


def test_a_topic_in_chinese_is_one_word():
    found = read_constraints({"constraints": {"topic": "海边灯塔", "max_words": 9}}, "constraints", "here")
    assert found.topic_words == ("海边灯塔",)


def test_unknown_tokens_are_charged_by_their_characters():
    tokenizer, task = make_tokenizer(), LM()
    task.prepare(tokenizer)
    (encoded,) = task.encode([Document("1", {"text": "a 北京 ไปไหน b"}, "o")], tokenizer)
    known = encoded.input_ids != tokenizer.unk_token_id
    outputs = np.tile(np.asarray([[0.25, 1.0]], np.float32), (len(encoded), 1))
    scores = task.decode(Document("1", {}, "o"), encoded, merged(encoded, outputs)).answer
    expected = np.where(known[1:], 0.25, np.log(len(tokenizer)) * np.maximum(scores.characters, 1))
    assert not known.all()
    np.testing.assert_allclose(scores.nll, expected, rtol=1e-6)
    assert scores.correct.tolist() == known[1:].tolist()
    assert (encoded.labels[:-1] != NO_LABEL).all()
