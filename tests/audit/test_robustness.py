"""Perturbed documents: a run that reads capitals is found, one that does not passes."""

import pytest

from ctxlab.audit.robustness import Robustness
from ctxlab.augment.case import Case
from ctxlab.augment.typos import Typos
from ctxlab.core.audit import Verdict
from tests.audit.simulated import Simulated, documents, noisy

PERTURB = {"case": Case(dose=1.0), "typos": Typos(dose=0.1)}


def capitals(document, draw):
    text = document.fields["text"]
    return "no" if text.isupper() else noisy(0.1)(document, draw)


def test_a_loss_is_found_for_the_perturbation_that_costs_it():
    finding = Robustness(PERTURB).check(Simulated(documents(60), capitals))
    assert finding.verdict is Verdict.FOUND
    case, typos = finding.compared
    assert (case.is_found, typos.is_found) == (True, False)
    golds = [document.fields["gold"][0] == "no" for document in documents(60)]
    assert case.first == pytest.approx(sum(golds) / 60)  # all are answered with no
    assert case.difference == case.first - case.second


def test_a_loss_within_the_margin_and_a_gain_are_no_findings():
    run = Simulated(documents(60), capitals)
    assert Robustness(PERTURB, margin=0.9).check(run).verdict is Verdict.PASS

    def better(document, draw):
        return document.fields["gold"][0] if document.fields["text"].isupper() else noisy(0.5)(document, draw)

    assert Robustness({"case": Case(dose=1.0)}).check(Simulated(documents(60), better)).verdict is Verdict.PASS


def test_doses_are_applied_to_copies():
    finding = Robustness({"typos": PERTURB["typos"]}, doses={"typos": [0.2, 0.9]}).check(
        Simulated(documents(20), noisy(0.1))
    )
    assert [one.name.split(" (")[0] for one in finding.compared] == ["typos at 0.2", "typos at 0.9"]
    assert PERTURB["typos"].dose == 0.1
    with pytest.raises(ValueError, match=r"doses\.ocr is no perturbation: use case, typos"):
        Robustness(PERTURB, doses={"ocr": [0.1]})
    with pytest.raises(ValueError, match=r"doses\.case=\[0\] are no fractions"):
        Robustness(PERTURB, doses={"case": [0]})


def test_what_does_not_fit_is_said():
    run = Simulated(documents(12), noisy(0.1))
    assert Robustness(PERTURB).check(Simulated(documents(5), noisy(0.1))).verdict is Verdict.TOO_LITTLE
    run.task.shape = None
    assert Robustness(PERTURB).check(run).verdict is Verdict.NOT_APPLICABLE
