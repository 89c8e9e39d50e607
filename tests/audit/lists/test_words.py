"""Lists of words by group: those of ctxlab are valid, and files are refused in a sentence."""

import pytest

from ctxlab.audit.lists import toxic
from ctxlab.audit.lists.words import counts, parse, read_list, shaped, shipped
from ctxlab.core.errors import UserError


@pytest.mark.parametrize("name", shipped())
def test_every_list_is_valid_and_every_word_has_others_of_both_sides(name):
    words = read_list(name)
    assert len(words.groups) >= 2
    for word in words.words:
        assert all(words.others(word, group) for group in words.groups)
        assert list(words.find(word.units)) == [(0, len(word.units), word)]


def test_the_longest_word_is_found_and_case_is_ignored():
    words = parse("a: New_York Rome\nb: New Oslo", "mine", "file")
    units = ["from", "NEW", "york", "to", "New", "Delhi", "and", "rome"]
    assert [(start, end, word.text) for start, end, word in words.find(units)] == [
        (1, 3, "New York"), (4, 5, "New"), (7, 8, "Rome")]  # fmt: skip
    assert counts(units, words) == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "file has no words"),
        ("# nothing\n", "file has no words"),
        ("female Mary Ann", "file line 1 is 'female Mary Ann': write a group, a colon and words"),
        ("a: x y\n\n\nb:", "file line 4 is 'b:'"),
        ("a: x y\nb: z", "the section with 'x' needs at least two groups with two words each"),
        ("a: x y", "the section with 'x' needs at least two groups"),
        ("a: x y\nb: z X", "the word 'X' is in 'a' and in 'b'"),
    ],
)
def test_a_file_that_is_not_valid_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(UserError) as caught:
        parse(text, "mine", "file")
    assert sentence in str(caught.value)


def test_a_file_of_the_user_is_read(tmp_path):
    (tmp_path / "mine.txt").write_text("a: x y\nb: v w\n", encoding="utf-8")
    assert read_list(str(tmp_path / "mine.txt")).groups == ["a", "b"]
    with pytest.raises(UserError, match=r"There is no list of words '\.\./secret'"):
        read_list("../secret")


def test_capitals_follow_the_word_that_is_replaced():
    assert [shaped("Mary", old) for old in ("James", "JAMES", "james", "秀英")] == ["Mary", "MARY", "mary", "Mary"]


def test_toxic_words_are_whole_words():
    words = toxic.read_words(None)
    assert toxic.hits("What an IDIOT! Go to hell.", words) == ["idiot", "go to hell"]
    assert toxic.hits("Scunthorpe has idiotproof dams.", words) == []
    assert toxic.hits("你这个白痴", words) == ["白痴"]
    with pytest.raises(UserError, match="There is no list of words 'toxic_de'"):
        toxic.read_words(["toxic_de"])
