"""Another domain against the run's own documents."""

from dataclasses import replace

from ctxlab.audit.domain import Domain
from ctxlab.core.audit import Recorded, Verdict
from tests.audit.simulated import Simulated, documents, noisy


def check(here, there, count=60, **options):
    """The audited documents with noise ``here``, those of the reference with noise ``there``."""
    known = [replace(one, id=f"known {one.id}") for one in documents(count, 7)]
    run = Simulated(documents(count), noisy(here))
    run.reference = Recorded("somewhere", "test", Simulated(known, noisy(there)).own().scores)
    return Domain(**options).check(run)


def test_a_loss_is_found_and_a_gain_or_none_is_not():
    lost = check(0.5, 0.05)
    assert lost.verdict is Verdict.FOUND
    assert lost.compared[0].difference < -0.2
    assert check(0.05, 0.5).verdict is Verdict.PASS
    assert check(0.1, 0.1).verdict is Verdict.PASS
    assert check(0.5, 0.05, margin=0.9).verdict is Verdict.PASS


def test_the_same_documents_no_scores_and_few_documents_are_named():
    run = Simulated(documents(20), noisy(0.1))
    assert "no scores of its own" in Domain().check(run).sentence
    run.reference = Recorded("somewhere", "test", run.own().scores)
    same = Domain().check(run)
    assert same.verdict is Verdict.NOT_APPLICABLE
    assert "somewhere (test split)" in same.sentence
    assert "data.test_file=<file>" in same.sentence
    assert check(0.5, 0.05, count=9).verdict is Verdict.TOO_LITTLE
