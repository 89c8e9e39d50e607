"""Records with replacements: every text of theirs, places that lead back, as many words as before, other names."""

import random

import pytest

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.privacy import Find
from ctxlab.privacy.none import NoPrivacy
from ctxlab.privacy.patterns import Patterns
from ctxlab.privacy.replacing.records import protected
from ctxlab.privacy.replacing.styles import Style
from ctxlab.text.units import joined
from tests.privacy.invented import document

KEY = "a key of a test"


def one(fields, style="tag", **more):
    return protected([Record(fields, "line 1")], Patterns(style, key=KEY, **more))[0]


@pytest.mark.parametrize("style", ["mask", "tag", "pseudonym"])
@pytest.mark.parametrize("seed", range(3))
def test_places_lead_back_to_the_original(style, seed):
    """Oracle: every sign outside of replacements is the same sign in the original, found by counting one by one."""
    text, planted = document(seed, count=12)
    record = one({"id": "a", "text": text}, style)
    new, back = record.fields["text"], record.protection.original
    edits = record.protection.edits["text"]
    assert [(edit.kind, edit.start, edit.end) for edit in edits] == planted
    if style == "mask":
        assert len(new) == len(text)
    inside = {place for edit in edits for place in range(edit.new_start, edit.new_end)}
    for place in range(len(new)):
        start, end = back("text", place, place + 1)
        if place in inside:
            assert (start, end) in {(edit.start, edit.end) for edit in edits}
        else:
            assert (start, end) == (start, start + 1)
            assert text[start] == new[place]
    assert back("text", 0, len(new)) == (0, len(text))
    assert back("other", 3, 5) == (3, 5)


def test_every_text_is_searched_and_the_record_itself_stays():
    fields = {
        "id": "a", "context": "write to a@example.com", "n": 3, "contexts": ["a b", "c@example.com d"],
        "questions": [{"id": "b@example.com", "question": "a@example.com?"}],
        "turns": [{"speaker": "x", "text": "call 030 1234567"}],
    }  # fmt: skip
    before = repr(fields)
    found = one(fields)
    assert repr(fields) == before
    assert found.fields["context"] == "write to _EMAIL_"
    assert found.fields["questions"][0]["question"] == "_EMAIL_?"
    assert found.fields["questions"][0]["id"].startswith("_EMAIL_")
    assert len(found.fields["questions"][0]["id"]) > len("_EMAIL_")
    assert found.fields["turns"][0]["text"] == "call _PHONE_"
    assert found.fields["contexts"] == ["a b", "_EMAIL_ d"]
    assert found.protection.original("contexts[1]", 0, 9) == (0, 15)
    assert "example" not in repr(found)


def test_words_stay_as_many_and_a_number_over_several_is_found():
    words = ["Card", "4111", "1111", "1111", "1111", ",", "Ada"]
    found = one({"id": "a", "tokens": words, "tags": ["O"] * 7})
    assert found.fields["tokens"] == ["Card", *["_CARD_"] * 4, ",", "Ada"]
    assert found.protection.plain() == [{"field": "tokens", "kind": "CARD", "start_word": 1, "end_word": 5}]
    spans, new = joined(words)[1], joined(found.fields["tokens"])[1]
    for index in range(7):
        assert found.protection.original("tokens", *new[index]) == spans[index]


def test_pseudonyms_are_equal_for_equal_values_and_differ_otherwise():
    text = "4111 1111 1111 1111, 4111111111111111, 5500-0000-0000-0004, a@example.com, A@EXAMPLE.com"
    names = one({"id": "a", "text": text}, "pseudonym").fields["text"].split(", ")
    assert names[0] == names[1] != names[2]
    assert names[3] == names[4]
    assert one({"id": "b", "text": text}, "pseudonym").fields["text"].split(", ") == names
    other = protected([Record({"id": "a", "text": text}, "x")], Patterns("pseudonym", key="another key"))[0]
    assert not set(other.fields["text"].split(", ")) & set(names)


def test_a_pseudonym_is_the_published_hmac():
    """RFC 4231, test case 2, has the digest of another text; here Python's one-shot digest of kind and value."""
    import hmac

    find = Find(0, 1, "EMAIL", "a@example.com")
    digest = hmac.digest(KEY.encode(), b"EMAIL\0a@example.com", "sha256").hex()
    assert Style("pseudonym", KEY).replacement(find, "x") == f"_EMAIL_{digest[:10]}_"


def test_without_a_key_pseudonyms_hold_within_a_command_alone():
    find = Find(0, 1, "EMAIL", "a@example.com")
    one, other = Style("pseudonym", None), Style("pseudonym", None)
    assert one.name(find) == one.name(find) != other.name(find)


def test_places_that_count_characters_are_left_out_where_the_text_moves():
    fields = {"id": "a", "text": "a@example.com b", "probes": [{"start": 14, "end": 15, "distance": 0}]}
    assert one(fields).fields["probes"] is None
    assert one(fields, "mask").fields["probes"] == fields["probes"]


@pytest.mark.parametrize(
    ("style", "key", "sentence"),
    [
        ("stars", None, "privacy.style=stars is not known: use mask, tag or pseudonym."),
        ("tag", "abc", "privacy.key has 3 characters"),
    ],
)
def test_bad_values(style, key, sentence):
    with pytest.raises(UserError, match=sentence):
        Style(style, key)


def test_nothing_is_replaced_without_privacy():
    record = Record({"id": "a", "text": "a@example.com"}, "x")
    assert protected([record], NoPrivacy()) == [record]
    assert protected([record], NoPrivacy())[0].protection is None


def test_random_stretches_lead_back_to_stretches_that_contain_them():
    draw = random.Random(7)
    text, _ = document(5, count=30)
    record = one({"id": "a", "text": text}, "pseudonym")
    new = record.fields["text"]
    for _ in range(300):
        start = draw.randrange(len(new))
        end = draw.randrange(start + 1, len(new) + 1)
        first, last = record.protection.original("text", start, end)
        assert 0 <= first < last <= len(text)
        kept = [word for word in new[start:end].split()[1:-1] if "_" not in word]
        assert all(word in text[first:last] for word in kept)
