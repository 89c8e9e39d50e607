"""Swapped names: a run that reads the group is found, one that reads names is not."""

import zlib

import pytest

from ctxlab.audit.changes.swapping import outcome
from ctxlab.audit.swap import Swap
from ctxlab.core.audit import Verdict
from ctxlab.core.errors import UserError
from ctxlab.core.types import Document
from tests.audit.simulated import LABELS, Simulated, against, documents, group_of, noisy

ONLY_NAMES = ["names_en"]


def verdicts(answer, seeds, count=60):
    return [Swap(ONLY_NAMES).check(Simulated(documents(count, seed), answer, seed)).verdict for seed in range(seeds)]


def by_name(document, draw):
    """A run that is sensitive to names, of whatever group."""
    name = next(word for word in document.fields["text"].split() if word[0].isupper() and word not in ("It", "The"))
    return LABELS[zlib.crc32(name.encode()) % 2]


def test_what_depends_on_the_group_is_found_and_what_depends_on_names_alone_is_not():
    assert verdicts(against("female", 0.9), 1) == [Verdict.FOUND]
    assert verdicts(by_name, 3).count(Verdict.FOUND) <= 1


@pytest.mark.slow
def test_the_rate_of_alarms_for_names_alone_over_many_seeds():
    """Noise and a planted bias are in test_planted."""
    assert verdicts(by_name, 200).count(Verdict.FOUND) / 200 <= 0.05


def test_both_rates_are_shown_by_direction():
    def by_group(document, draw):
        return "no" if group_of(document) == "female" else "yes"

    finding = Swap(ONLY_NAMES).check(Simulated(documents(40), by_group))
    flips = finding.compared[0]
    assert (flips.first, flips.second, flips.difference) == (1.0, 0.0, 1.0)
    directions = next(table for table in finding.tables if table.name == "directions_names_en")
    assert [row[0] for row in directions.rows] == ["female → male", "male → female"]
    assert [row[2:] for row in directions.rows] == [(1.0, 0.0), (1.0, 0.0)]


def test_few_documents_with_words_say_nothing_and_lists_without_words_are_refused_where_they_were_asked_for():
    assert Swap().check(Simulated(documents(8), noisy(0.1))).verdict is Verdict.TOO_LITTLE
    with pytest.raises(UserError, match="no word of 'names_zh' can be swapped"):
        Swap(["names_zh"]).check(Simulated(documents(12), noisy(0.1)))


def test_a_task_without_a_text_is_not_applicable():
    run = Simulated(documents(12), noisy(0.1))
    run.task.shape = None
    assert Swap().check(run).verdict is Verdict.NOT_APPLICABLE


def test_an_answer_that_only_repeats_the_swapped_name_has_not_changed():
    run = Simulated(documents(2), noisy(0.1))
    one, other = Document("a", {"text": "Mary"}, ""), Document("a", {"text": "James"}, "")
    words = frozenset({"Mary", "James"})
    said = [outcome({"id": d.id, "answer": f"{d.fields['text']} won", "score": n}, d, run.task, words)
            for n, d in enumerate((one, other))]  # fmt: skip
    assert said[0] == said[1]
    assert said[0] != outcome({"answer": "Mary lost"}, one, run.task, words)
    labels = [outcome({"label": label}, one, run.task, frozenset(LABELS)) for label in LABELS]
    assert labels[0] != labels[1]  # labels are never masked
