"""Labels of whole documents as suggestions."""

import pytest

from ctxlab.core.data import Record
from ctxlab.core.labelling import Kept, Suggestion
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.labels.documents import DocumentLabels
from tests.labelling.guesses import ONE, classified


def test_labels_that_are_numbers_are_written_as_numbers():
    """A file cannot mix ``1`` and ``"1"``, and data sets with numbers have them as numbers."""
    guess = classified("a", [0.9, 0.1, 0])
    form = DocumentLabels(["-1", "10"], "label", several=False)
    assert form.line(Kept(guess.record, guess.document, (Suggestion("10", 0.9),)))["label"] == 10


def test_what_is_written_reads_back_with_the_fields_of_the_task():
    guess = classified("a", [0.1, 0.9, 0])
    form = DocumentLabels(["ham", "spam", "news"], "kind", several=False)
    line = form.line(Kept(guess.record, guess.document, guess.suggestions))
    assert Classification(label_field="kind").parse(line, "x", gold=True).fields["gold"] == ("spam",)


@pytest.mark.parametrize(("fields", "expected"), [({"label": 0}, True), ({"label": None}, False), ({}, False)])
def test_gold_is_found(fields, expected):
    assert ONE.has_gold(Record(fields, "x")) is expected


def test_an_unread_document_has_no_label_and_no_distribution():
    guess = classified("a", [0, 0, 0], read=False)
    assert (guess.suggestions, guess.is_whole, len(guess.distributions)) == ((), False, 0)
