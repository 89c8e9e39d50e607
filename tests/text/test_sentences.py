"""Sentences in every script, worked by hand; Unicode's own list of terminators."""

from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.text.sentences import MOST_CHARACTERS, MOST_SINGLE, sentence_starts


def sentence_spans(text, language=""):
    """First and last character (not included) of the sentences of one paragraph, with white space after them."""
    first = len(text) - len(text.lstrip())
    return list(pairwise([first, *sentence_starts(text, first, None, language), len(text)])) if text.strip() else []


def cut(text, language=""):
    return [text[start:end].strip() for start, end in sentence_spans(text, language)]


@pytest.mark.parametrize(
    "expected",
    [
        ["猫在睡觉。", "狗在跑！", "真的吗？"],
        ["他说：“走吧。”", "我们走了。"],
        ["「行くぞ。」", "私は行く。"],
        ["彼は「行くぞ。」と言った。", "「はい。」", "とても小さな声だ。"],
        ["ﾈｺがいる｡", "ｲﾇもいる｡"],
        ["राम आया।", "सीता कहाँ है?", "पता नहीं।"],
        ["یہ کتاب ہے۔", "وہ قلم ہے۔"],
        ["أين الكتاب؟", "هو هنا.", "شكرا!"],
        ["Սա գիրք է։", "Նա եկավ։"],
        ["መጽሐፍ ነው።", "ተመልከት፧", "አዎ።"],
        ["ဒါစာအုပ်။", "သူလာတယ်။"],
        ["នេះសៀវភៅ។", "គាត់មក។"],
        ["འདི་དེབ་རེད།", "ཁོང་ཕེབས་སོང་།"],
        ["Τι είναι αυτό;", "Ένα βιβλίο."],
        ["Siehe z. B. Seite drei.", "Das gilt d. h. immer."],
        ["Am 3. Oktober kam Dr. Weber.", "Er blieb bis zum 2. Weltkrieg dort."],
        ["Sie rief: „Halt!“", "Niemand hielt an."],
        ["Es war der 1. 5. 1990.", "Am 2. 6. kam er.", "Gut."],
        ["»Nein!«", "»Doch.«", "Sie ging."],
        ["Elle a crié « Stop ! » et couru.", "Fin."],
        ["« Viens ! »", "Il vint."],
        ["¿Dónde está la Sra. Ruiz?", "¡Aquí!", "Bien."],
        ["И т. д. и т. п. было.", "Он ушёл."],
        ["Это г. Москва, ул. Ленина, рис. 5.", "В 1920 г.", "Потом он умер."],
        ["See Fig. 3, No. 5 and pp. 3 to 9.", "Did he go?", "No.", "He stayed."],
        ["그는 \"가자.\"라고 말했다.", "나는 잤다."],
        ["আমি খাই।", "তুমি কি খাও?", "না।"],
        ["Mr. Holmes met J. Watson.", "“Well?” he said.", "3.5 miles are left."],
        ["今日は３．１４を習った。", "終わり。"],
        ["นี่คือหนังสือเล่มใหม่", "เขามาถึงเมื่อวานนี้"],
    ],
    ids=lambda expected: expected[0][:12],
)  # fmt: skip
def test_sentences_by_hand(expected):
    glue = "" if regex.search(r"[\p{Han}\uff61]", expected[0]) else " "
    assert cut(glue.join(expected)) == expected


def test_every_terminator_of_unicode_that_is_not_latin_ends_a_sentence():
    every = regex.findall(r"\p{Sentence_Terminal}", "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)])))
    assert len(every) > 100
    for stop in every:
        if stop not in ".!?\uff0e":
            assert len(cut(f"字{stop} 字")) == 2, hex(ord(stop))


def test_abbreviations_of_a_given_language():
    assert len(cut("Siehe Kap. Drei und Abs. Vier.", "de")) == 1
    assert len(cut("He made art. She left.")) == 2
    assert len(cut("Voir art. Trois.", "fr")) == 1


def test_a_short_name_with_a_blank_is_no_thai_sentence():
    assert cut("สมศรี ใจดี") == ["สมศรี ใจดี"]


def test_a_text_without_stops_is_cut_at_blanks_or_between_characters():
    words = "word " * 2000
    pieces = [words[a:b] for a, b in sentence_spans(words)]
    assert len(pieces) == -(-len(words) // MOST_CHARACTERS)
    assert all(len(piece) <= MOST_CHARACTERS and piece.endswith("word ") for piece in pieces)
    assert "".join(pieces) == words
    han = "字" * 3000 + "，" + "字" * 10
    sizes = [b - a for a, b in sentence_spans(han)]
    assert max(sizes) <= MOST_SINGLE
    assert sum(sizes) == len(han)
    marked = "กิ่" * 1000
    assert all(start % 3 == 0 for start in sentence_starts(marked))


@given(st.text(st.sampled_from("ab. !?…”“»« \n。！」字कि।ก ;Α．1"), max_size=80))
def test_sentences_are_the_text_and_none_is_blank(text):
    spans = sentence_spans(text)
    assert "".join(text[a:b] for a, b in spans) == text.lstrip()
    assert all(text[a:b].strip() for a, b in spans)
    assert all(not text[a].isspace() for a, _ in spans)


@given(st.text(st.sampled_from("ab. !?\n。字"), max_size=40), st.integers(0, 10))
def test_a_part_of_a_text_is_split_by_itself(text, start):
    start = min(start, len(text))
    places = list(sentence_starts(text, start, len(text)))
    assert all(start < place < len(text) for place in places)
    assert places == sorted(set(places))
