"""Documents of another domain."""

from ctxlab.audit.measures.comparing import Sides, apart
from ctxlab.audit.measures.verdicts import Side, judged, sentence, table, verdict
from ctxlab.core.audit import Check, Finding, Subject, not_applicable, too_little


class Domain(Check):
    """The audited documents, given as ``data.test_file``, against those on which the run was scored itself.

    Both sets of documents are different, so that the interval is that of a difference of independent estimates. A loss
    is a finding where it is larger than ``margin`` and than chance.
    """

    question = "Is the run as good on documents of another domain as on those that it was scored on?"

    def __init__(self, reference: str | None = None, margin: float = 0.05) -> None:
        """Store the options.

        Args:
            reference: Run directory with the in-domain scores, such as that of ``ctxlab eval``; None for the run's own.
            margin: Losses up to this size do not matter, in units of the figure.
        """
        self.reference, self.margin = reference, margin

    def check(self, subject: Subject) -> Finding:
        """See ``Check``."""
        reference = subject.recorded(self.reference)
        if reference is None:
            return not_applicable(
                "The run has no scores of its own: give a run that has, as audit.domain.reference=<directory>."
            )
        names = {one.group for one in reference.scores}
        scores = subject.own().scores
        audited = {one.group for one in scores}
        if names & audited:
            return not_applicable(
                f"The audited documents are among those of {reference.place} ({reference.split} split): give documents "
                "of another domain, as data.test_file=<file>."
            )
        if min(len(names), len(audited)) < subject.rules.least:
            return too_little(
                f"There are {len(audited)} documents here and {len(names)} in-domain, and at least "
                f"{subject.rules.least} of each are needed."
            )
        sides = Sides("this domain against in-domain", subject.figure)
        side: Side = "above" if subject.lower_is_better else "below"
        compared = judged(
            [apart(sides, scores, reference.scores, subject.rules.seed)], subject.rules, self.margin, side=side
        )
        text = sentence(compared, f"No loss of more than {self.margin:g} against the run's own documents.")
        note = f"second: the {reference.split} split of {reference.place}"
        return Finding(verdict(compared), text, compared, tables=[table(compared, "Domains compared", note)])
