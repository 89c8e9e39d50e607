"""Personal data with a form: all that was planted is found, hardly anything else, and hostile texts are only long."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.sources.generated import Generated
from ctxlab.privacy.finding.known import KINDS, found
from ctxlab.privacy.patterns import Patterns
from tests.privacy.invented import document

ALL = tuple(KINDS)


def kinds(text):
    return [(find.kind, text[find.start : find.end]) for find in found(text, ALL)]


@pytest.mark.parametrize("seed", range(40))
def test_all_that_was_planted_is_found_at_its_place(seed):
    text, planted = document(seed)
    assert [(find.kind, find.start, find.end) for find in found(text, ALL)] == planted


@pytest.mark.parametrize(("task", "language"), [("ner", "en"), ("classification", "en"), ("qa", "en"), ("lm", "en")])
def test_corpora_without_personal_data_have_at_most_one_false_hit_in_10_000_words(task, language):
    texts, num_words = [], 0
    for record in Generated(documents=5, language=language).load(task, "train", 3):
        words = record.fields.get("tokens") or (record.fields.get("text") or record.fields["context"]).split()
        num_words += len(words)
        texts.append(" ".join(words))
    assert num_words > 10_000
    assert sum(len(found(text, ALL)) for text in texts) <= num_words / 10_000


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112", "1234 5678 9012 3456", "order 41111111111111111111111", "DE88370400440532013000",
        "DE893704004405320130000", "900-12-3456 000-12-3456 123-00-4567 123-45-0000", "v1.2.3 and 1.2.3.4.5",
        "300.1.1.1", "std::vector<a::b>", "at 12:30:45", "2024-01-02", "01-02-2024", "1,234,567 and 3.141592653",
        "@user said a@b and @@", "pages 120-130", "GO:0060337", "x" * 40 + "@", "10.1128/genomeA.00319-17",
        "in 1999 2000 2001 2002", "555 123", "abc4111111111111111",
    ],
)  # fmt: skip
def test_what_looks_similar_is_not_found(text):
    assert kinds(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("请发邮件到john@example.com谢谢", [("EMAIL", "john@example.com")]),
        ("jürgen@müller.de", [("EMAIL", "jürgen@müller.de")]),
        ("４１１１ １１１１ １１１１ １１１１", [("CARD", "４１１１ １１１１ １１１１ １１１１")]),
        ("4111 1111\r\n1111 1111", [("CARD", "4111 1111\r\n1111 1111")]),
        ("SSN: 123456789, SSN 123 45 6789", [("SSN", "123456789"), ("SSN", "123 45 6789")]),
        ("Tel.: 234 5678; fax 2345678", [("PHONE", "234 5678"), ("PHONE", "2345678")]),
        ("030 1234567\n030 7654321", [("PHONE", "030 1234567"), ("PHONE", "030 7654321")]),
        ("::1 and fe80::1ff:fe23:4567:890a.", [("IP", "::1"), ("IP", "fe80::1ff:fe23:4567:890a")]),
        ("de89370400440532013000", [("IBAN", "de89370400440532013000")]),
    ],
)
def test_other_ways_to_write_it(text, expected):
    assert kinds(text) == expected


def test_the_value_is_the_same_however_it_is_written():
    pairs = [("4111 1111 1111 1111", "4111-1111-1111-1111"), ("A.B@Example.com", "a.b@example.com"),
             ("+49 30 1234567", "0049 (30) 1234567"), ("2001:db8::1:2", "2001:0DB8:0:0:0:0:1:2")]  # fmt: skip
    for pair in pairs:
        (one,), (other,) = ([(find.kind, find.value) for find in found(text, ALL)] for text in pair)
        assert one == other


HOSTILE = (
    "1", "@", "1 ", "a@", "a.", "1-", "1.", ":", "a:", "+1", "(1", "DE89 ", "tel ", "4111 ", "01/", "192.", "0123 ",
    "x@y.", "555-", "١", "(0", "00",
)  # fmt: skip


def test_a_long_text_of_what_begins_a_pattern_takes_work_in_proportion_to_its_length():
    """Without it, runs of 8,000 signs would take 64 million steps each, and this test minutes."""
    for unit in HOSTILE:
        kinds = {one.kind for one in found((unit * 8_000)[:8_000], ALL)}
        assert kinds <= ({"PHONE"} if unit == "0123 " else set()), unit  # groups of digits after a 0 are one


def test_kinds_may_be_chosen():
    text = "a@example.com 123-45-6789"
    assert [find.kind for find in Patterns("tag", kinds=["ssn"]).find([text])[0]] == ["SSN"]
    with pytest.raises(UserError, match=r"privacy\.kinds has 'emial', which is none of email, iban"):
        Patterns("tag", kinds=["emial"])
