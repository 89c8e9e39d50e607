"""Words and units: Unicode's properties, ``str.split``, and cases worked by hand."""

import re

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.text.units import (
    bare,
    find_words,
    first_words,
    is_single,
    joined,
    last_words,
    num_words,
    token_spans,
    unit_spans,
    units,
    without_invented_blanks,
    word_spans,
    words,
    words_around,
)

ALPHABETS = st.sampled_from([
    "abcé “”.-_0 9\n", "今天北京，。「」ab1 ", "กขิ์เ ๑a.", "हिंदी। १ ", "ཀཁི་། ", "ကခ်ိ္။ ", "ខ្ញុំ។ ", "مقالة، ",
    "カーｶﾞヶ々〇ー゙",
])  # fmt: skip
TEXTS = ALPHABETS.flatmap(lambda letters: st.text(st.sampled_from(letters), max_size=40)) | st.text(max_size=40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天很好。", ["今", "天", "很", "好"]),
        ("东京タワーは333mです", ["东", "京", "タ", "ワ", "ー", "は", "333m", "で", "す"]),
        ("ｶﾞｽ", ["ｶﾞ", "ｽ"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("ขวด ๑๒", ["ข", "ว", "ด", "๑๒"]),
        ("ཀི་ཁུ", ["ཀི", "ཁུ"]),
        ("ខ្ញុំទៅ", ["ខ្ញុំ", "ទៅ"]),
        ("က္ကီး", ["က္ကီး"]),
        ("हिंदी में, नमस्ते!", ["हिंदी", "में", "नमस्ते"]),
        ("Straße, cafe\u0301 don't 3.5", ["Straße", "cafe\u0301", "don", "t", "3", "5"]),
        ("מִלָּה العربيّة", ["מִלָּה", "العربيّة"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
    ],
)
def test_units_by_hand(text, expected):
    assert units(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天很好，我们去「公园」。", ["今", "天", "很", "好，", "我", "们", "去「", "公", "园」。"]),
        ("《红》 iPhone 15版", ["《红》", "iPhone", "15", "版"]),
        ("བོད་ཡིག", ["བོ", "ད་", "ཡི", "ག"]),
        ("वह घर गया।", ["वह", "घर", "गया।"]),
    ],
)
def test_words_by_hand(text, expected):
    assert words(text) == expected
    assert num_words(text) == len(expected)


@given(st.text(st.characters(codec="latin-1"), max_size=60))
def test_words_of_scripts_with_blanks_are_those_of_str_split(text):
    assert words(text) == text.split()
    assert [text[a:b] for a, b in word_spans(text)] == text.split()


@given(TEXTS)
def test_every_visible_character_is_in_one_word_and_one_token(text):
    visible = {i for i, character in enumerate(text) if not character.isspace()}
    for spans in (word_spans(text), token_spans(text)):
        places = [i for start, end in spans for i in range(start, end)]
        assert len(places) == len(set(places))
        assert places == sorted(places)
        assert set(places) == visible


@given(TEXTS)
def test_units_hold_every_letter_and_digit_once_and_no_unit_has_two_single_letters(text):
    places = [i for start, end in unit_spans(text) for i in range(start, end)]
    assert places == sorted(set(places))
    assert {i for i, c in enumerate(text) if regex.match(r"[\p{L}\p{N}]", c, regex.V1)} <= set(places)
    for unit in units(text):
        stacked = "\u17d2" in unit or "\u1039" in unit
        letters = [c for c in unit if is_single(c) and c not in "\uff9e\uff9f"]
        assert len(letters) <= 1 or stacked


@given(TEXTS)
def test_marks_never_begin_a_unit_after_a_letter(text):
    for start, _ in unit_spans(text):
        assert not regex.match(r"\p{M}", text[start])


def test_first_and_last_words_count_in_every_script():
    assert first_words("The  quick brown\nfox", 3) == "The quick brown"
    assert last_words("The  quick brown\nfox", 2) == "brown fox"
    assert first_words("今天很好，我们走。", 4) == "今天很好，"
    assert last_words("今天很好，我们走。", 2) == "们走。"
    assert first_words(" \n", 3) == last_words("word", 0) == ""


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["张", "伟", "在", "北京"], "张伟在北京"),
        (["Mr", ".", "Holmes"], "Mr . Holmes"),
        (["用", "iPhone", "15", "拍", "。"], "用 iPhone 15拍。"),
        (["2024", "年"], "2024年"),
        (["他", "说", "：", "“", "好", "”"], "他说：“好”"),
        (["ฉัน", "ไป"], "ฉันไป"),
        (["घर", "में"], "घर में"),
        ([], ""),
    ],
)
def test_words_of_a_data_set_as_running_text(pieces, text):
    found, spans = joined(pieces)
    assert found == text
    assert [found[a:b] for a, b in spans] == pieces


def test_blanks_that_a_tokenizer_of_characters_invents_are_taken_out():
    assert without_invented_blanks("中 华 人 民 共 和 国 。") == "中华人民共和国。"
    assert without_invented_blanks("今 年 2024 年 ， “ 好 ”") == "今年2024年，“好”"
    assert without_invented_blanks("用 iPhone 拍") == "用 iPhone 拍"
    assert without_invented_blanks("go to the park") == "go to the park"
    assert without_invented_blanks("не надо “ так ”") == "не надо “ так ”"


@pytest.mark.parametrize(
    ("text", "wanted", "count"),
    [
        ("The cat sat; CAT! concat cat_", "cat", 2),
        ("灯塔在海边，灯塔", "灯塔", 2),
        ("दिल्ली में दिल्ली", "दिल्ल", 0),
        ("दिल्ली में दिल्ली", "दिल्ली", 2),
        ("ไปกรุงเทพวันนี้", "กรุงเทพ", 1),
        ("นี่คือ", "นี", 0),
        ("用iPhone拍", "iphone", 1),
        ("iPhones", "iPhone", 0),
        ("cafe\u0301", "cafe", 0),
        ("a.b", "a.b", 1),
        ("anything", " ", 0),
    ],
)
def test_whole_words_are_found(text, wanted, count):
    found = find_words(text, wanted)
    assert len(found) == count
    assert all(text[a:b].casefold() == wanted.casefold() for a, b in found)


@given(st.text(st.sampled_from("ab_1 .é#"), max_size=30), st.text(st.sampled_from("ab1.é#"), min_size=1, max_size=3))
def test_whole_words_of_scripts_with_blanks_are_those_of_re(text, wanted):
    expected = [m.span() for m in re.finditer(rf"(?i)(?<!\w){re.escape(wanted)}(?!\w)", text)]
    assert find_words(text, wanted) == expected


def test_words_around_a_place():
    text = "one two  three four five"
    assert words_around(text, text.index("three"), 1, 3) == "two three four"
    assert words_around(text, text.index("five"), 1, 3) == "four five"
    assert words_around(text, text.index("five"), 1, 3, fill=True) == "three four five"
    assert words_around(text, text.index("hree"), 0, 1) == "three"
    assert words_around("今天很好，我们走。", 5, 1, 3) == "好，我们"
    assert words_around("", 0, 1, 3) == ""


def test_punctuation_around_a_word_is_taken_off():
    assert bare(" “Paris”, ") == "Paris"
    assert bare("「蓝鲸」。") == "蓝鲸"
    assert bare("U.S.") == "U.S"
    assert bare("…") == ""
