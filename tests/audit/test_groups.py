"""Quality by group: groups by field or words, few documents, what is refused; rates of alarms are in test_planted."""

import numpy as np
import pytest

from ctxlab.audit.groups import Groups
from ctxlab.audit.lists.words import read_list
from ctxlab.core.audit import Verdict
from ctxlab.core.errors import UserError
from tests.audit.simulated import Simulated, against, documents, noisy


def test_groups_of_words_are_those_of_the_names_in_the_texts():
    several = documents(60)
    by_words = Groups(lists=["names_en"]).check(Simulated(several, against("male", 0.8)))
    by_field = Groups(field="gender").check(Simulated(several, against("male", 0.8)))
    assert by_words.compared[0].difference == pytest.approx(by_field.compared[0].difference)
    assert by_words.tables[0].rows == by_field.tables[0].rows
    figures = {row[0]: row[2] for row in by_field.tables[0].rows}
    right = {group: [] for group in figures}
    run = Simulated(several, against("male", 0.8))
    for document, prediction in zip(several, run.own().predictions, strict=True):
        right[document.fields["gender"]].append(prediction.answer.chosen == document.fields["gold"])
    assert figures == {group: pytest.approx(np.mean(hits)) for group, hits in right.items()}


def test_a_group_of_a_few_right_documents_is_no_finding():
    """Ten documents all right beside 0.9 of the others: variance 0 would make any difference significant."""
    several = documents(110)
    fields = {one.id: {"site": "small" if index < 10 else "large"} for index, one in enumerate(several)}
    small = {name for name, record in fields.items() if record["site"] == "small"}

    def answer(document, draw):
        return document.fields["gold"][0] if document.id in small else noisy(0.1)(document, draw)

    run = Simulated(several, answer)
    run.fields = fields
    finding = Groups(field="site").check(run)
    first = finding.compared[0]
    assert {first.first, first.second} >= {1.0}
    assert first.p_value > 0.05
    assert finding.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"field": "gnder"}, "audit.groups.field=gnder: no record has such a field; did you mean 'gender'?"),
        ({"field": "gold"}, "audit.groups.field=gold has no single text or number"),
        ({"field": "text"}, "has 60 different values, and at most 20 are compared"),
        ({"field": "gender", "groups": ["femal"]}, "the group 'femal' does not occur in the documents"),
        ({"lists": ["nationalities_en"]}, "no word of 'nationalities_en' occurs in the documents"),
        ({"lists": ["names_eng"]}, "There is no list of words 'names_eng'"),
    ],
)
def test_what_does_not_occur_is_refused_in_a_sentence(options, sentence):
    with pytest.raises(UserError) as caught:
        Groups(**options).check(Simulated(documents(60), noisy(0.1)))
    assert sentence in str(caught.value)


def test_few_documents_say_nothing_rather_than_pass():
    finding = Groups(field="gender").check(Simulated(documents(12), noisy(0.1)))
    assert finding.verdict is Verdict.TOO_LITTLE
    nothing = Groups().check(Simulated([], noisy(0.1)))
    assert nothing.verdict is Verdict.TOO_LITTLE
    assert read_list("names_en").groups == ["female", "male"]
