"""Grapheme clusters: the regex library's ``\\X`` over the whole text is the oracle of every local search."""

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.text.clusters import begin_of, clusters, end_of, snap, whole

TEXTS = st.text(st.sampled_from("ab é\u0301हिंदी中กิ่ \n\r\t👨\u200d👩🏽e\u0308각ᄀ"), max_size=120)


def borders(text):
    return {0, *(match.end() for match in regex.finditer(r"\X", text))}


@given(TEXTS, st.data())
def test_spans_snap_to_the_nearest_whole_clusters(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    first, last = snap(text, start, end)
    every = borders(text)
    assert first == max(place for place in every if place <= start)
    assert last == min(place for place in every if place >= end)


def test_snapping_looks_back_a_bounded_way_in_a_text_without_blanks():
    text = "กิ่" * 500
    for place in (0, 1, 2, 3, 700, 701, len(text) - 1):
        assert begin_of(text, place) == place // 3 * 3
    assert end_of(text, 700) == 702
    assert end_of(text, 0) == 0
    assert begin_of(text, len(text)) == len(text)


@pytest.mark.parametrize(
    ("text", "part", "expected"),
    [
        ("वह हिंदी था", "हिंद", "हिंदी"),
        ("Le cafe\u0301.", "cafe", "cafe\u0301"),
        ("قال محمدٌ", "محمد", "محمدٌ"),
        ("สมศรี", "สมศร", "สมศรี"),
    ],
)
def test_an_answer_keeps_the_marks_of_its_last_letter(text, part, expected):
    start = text.index(part)
    first, last = snap(text, start, start + len(part))
    assert text[first:last] == expected


@given(TEXTS)
def test_clusters_are_the_text(text):
    assert "".join(clusters(text)) == text


def test_an_unfinished_last_character_is_cut():
    for count in range(1, 4):
        text = "图书馆".encode()[:-count].decode(errors="replace")
        assert whole(text) == "图书"
    assert whole("👩\u200d") == "👩"
    assert whole("a\ufffdb") == "a\ufffdb"
    assert whole("") == ""
