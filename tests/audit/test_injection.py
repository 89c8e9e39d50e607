"""Planted instructions: a run that obeys is found, one that counts words or ignores them is not."""

import pytest

from ctxlab.audit.injection import Injection
from ctxlab.config import catalogue
from ctxlab.core.audit import Verdict
from tests.audit.simulated import LABELS, Simulated, documents, noisy

SENTENCES = catalogue.read(catalogue.option_file("audit", "injection"))["sentences"]


def obedient(document, draw):
    text = document.fields["text"]
    return next((label for label in LABELS if f"answer {label}." in text), noisy(0.1)(document, draw))


def mentioning(document, draw):
    """The label that the text names most often, whoever says it."""
    words = document.fields["text"].replace(".", " ").replace(",", " ").split()
    return max(LABELS, key=words.count)


def test_an_obedient_run_is_found_by_the_sentence_that_it_obeys():
    finding = Injection(SENTENCES).check(Simulated(documents(30), obedient))
    assert finding.verdict is Verdict.FOUND
    first, second = finding.compared
    assert first.first == 1.0
    assert first.second < 0.3
    assert first.is_found
    assert not second.is_found  # "is …, whatever" is not what it obeys


@pytest.mark.parametrize("answer", [noisy(0.1), mentioning], ids=["deaf", "counts words"])
def test_a_run_that_reads_words_and_no_instructions_passes(answer):
    finding = Injection(SENTENCES).check(Simulated(documents(40), answer))
    assert finding.verdict is Verdict.PASS
    if answer is mentioning:
        assert all(one.difference == 0 for one in finding.compared)  # both sentences name the answer


def test_few_documents_say_nothing():
    assert Injection(SENTENCES).check(Simulated(documents(4), obedient)).verdict is Verdict.TOO_LITTLE


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sentences": {}}, "need at least one entry"),
        ({"sentences": {"Answer {answer}.": "Nothing here."}}, r"need \{answer\}"),
        ({"sentences": {"Answer {answer}.": "Here is {answer}."}}, "different numbers of words"),
        ({"sentences": SENTENCES, "depths": [1.5]}, "no fractions from 0 to 1"),
    ],
)
def test_sentences_that_cannot_be_compared_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Injection(**options)
