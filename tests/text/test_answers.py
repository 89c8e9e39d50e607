"""Answers: MLQA's and CMRC's rules, reimplemented here character by character, and values worked by hand."""

import string
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.text.answers import exact_match, f1, lcs_f1, normalise

GERMAN = "ein eine einen einem eines einer der die das den dem des"
HAN_KANA_THAI = [(0x3400, 0x9FFF), (0x3041, 0x30FF), (0x0E01, 0x0E3A), (0x0E40, 0x0E4E)]


def reference_words(text, language):
    kept = "".join(c for c in text.lower() if unicodedata.category(c)[0] != "P" and c not in string.punctuation)
    spread = "".join(f" {c} " if any(a <= ord(c) <= b for a, b in HAN_KANA_THAI) else c for c in kept)
    articles = {"en": {"a", "an", "the"}, "de": {*GERMAN.split()}}
    return [word for word in spread.split() if word not in articles.get(language, ())]


@given(
    st.text(st.sampled_from("天气京ひタก aeth.,。「」1 "), max_size=20),
    st.text(st.sampled_from("天气京ひタก aeth.,。「」1 "), max_size=20),
)
def test_the_reimplemented_rules_agree(answer, gold):
    given_words, wanted = reference_words(answer, "zh"), reference_words(gold, "zh")
    assert exact_match(answer, [gold], "zh") == float(given_words == wanted)
    common = sum((Counter(given_words) & Counter(wanted)).values())
    expected = 2 * common / (len(given_words) + len(wanted)) if common else float(given_words == wanted == [])
    assert f1(answer, [gold], "zh") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answer", "gold", "language", "expected"),
    [
        ("上海。", "上海", "", 1),
        ("《西游记》", "西游记", "", 1),
        ("2008 年", "2008年", "zh", 1),
        ("मुंबई।", "मुंबई", "", 1),
        ("„Faust“", "Faust", "de", 1),
        ("der Rhein", "Rhein", "de", 1),
        ("der Rhein", "Rhein", "en", 0),
        ("la casa", "casa", "es", 1),
        ("the house", "house", "", 1),
        ("“Paris”", "Paris", "", 1),
        ("nai\u0308ve", "naïve", "fr", 1),
        ("الكتاب", "كتاب", "ar", 1),
        ("广州", "上海", "", 0),
    ],
)
def test_exact_match_by_hand(answer, gold, language, expected):
    assert exact_match(answer, [gold], language) == expected


@pytest.mark.parametrize(
    ("answer", "gold", "language", "expected"),
    [
        ("清华大学", "清华大学法学院", "zh", 2 * 4 / 11),
        ("京都府", "京都", "ja", 0.8),
        ("清华 university", "清华大学", "", 2 * 2 / 7),
        ("the big house", "big house", "", 1),
        ("", "", "", 1),
        ("x", "", "", 0),
    ],
)
def test_f1_by_hand(answer, gold, language, expected):
    assert f1(answer, [gold], language) == pytest.approx(expected)


def test_the_best_of_several_gold_answers_counts_and_none_is_the_empty_one():
    assert f1("a cat", ["dog", "cat"]) == 1
    assert exact_match("。", []) == exact_match("", []) == 1
    assert exact_match("x", []) == 0


def test_the_longest_run_in_common_as_cmrc_counts():
    # 北京大学 and 大学北京: four characters in common, but a run of two.
    assert f1("北京大学", ["大学北京"]) == 1
    assert lcs_f1("北京大学", ["大学北京"]) == pytest.approx(2 * 2 / 8)
    assert lcs_f1("abc", [""]) == 0
    assert lcs_f1("今天", ["今天"]) == 1


def test_normalised_english_is_as_squad_has_it():
    assert normalise("The  U.S.  is a “well-known” Country!") == "us is wellknown country"
