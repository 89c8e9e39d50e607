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
        before = word.section in words.not_before
        units = (*word.units, "book") if before else word.units
        assert next(iter(words.find(units))) == (0, len(word.units), word)


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


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("He told her that she lost his book .", ["he", "her 1", "she", "his 2"]),
        ("Her car is hers , not his .", ["her 2", "hers", "his 3"]),
        ("They saw her , and the others saw him .", ["her 1", "him"]),
        ("I gave her the book and her brother left with her", ["her 1", "her 2", "her 1"]),
        ("Nobody but HE himself knew", ["he", "himself"]),
    ],
)
def test_the_next_word_says_which_pronoun_is_meant(text, forms):
    words = read_list("pronouns_en")
    section = {"her 1": 1, "her 2": 2, "his 2": 2, "his 3": 3}
    found = [word for _, _, word in words.find(text.split())]
    assert [word.text for word in found] == [form.split()[0] for form in forms]
    assert [word.section for word in found if word.text in ("her", "his")] == [
        section[form] for form in forms if form in section
    ]


def test_a_pronoun_in_a_chinese_word_is_none():
    words = read_list("pronouns_zh")
    text = "其他人和他们说，她弹吉他，他人很好"
    assert [text[start:end] for start, end, _ in words.find(list(text))] == ["他们", "她"]


def test_words_of_control_come_in_and_are_never_looked_for():
    words = parse("a: he\nb: she\n(control): they\n", "mine", "file")
    assert words.groups == ["a", "b"]
    he = words.words[0]
    assert [word.text for word in words.others(he, "a")] == ["they"]
    assert [word.text for word in words.others(he, "b")] == ["she"]
    assert list(words.find(["they"])) == []
    with pytest.raises(UserError, match=r"file line 3 begins with '\(contrl\)'"):
        parse("a: he\nb: she\n(contrl): they\n", "mine", "file")
    with pytest.raises(UserError, match="the word 'her' is in 'a' and in 'a'"):
        parse("a: her\nb: him\n(control): them\n\na: her\nb: his\n(control): their\n", "mine", "file")


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
