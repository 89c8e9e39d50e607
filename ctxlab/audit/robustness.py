"""Quality under perturbations."""

import copy
from collections.abc import Mapping, Sequence

from ctxlab.audit.measures.comparing import Sides, paired
from ctxlab.audit.measures.verdicts import Side, judged, sentence, table, verdict
from ctxlab.core.audit import Check, Compared, Finding, Subject, not_applicable, too_little
from ctxlab.core.augmentation import Augmentation, changed
from ctxlab.core.types import BARS, Document, Table


class Robustness(Check):
    """The documents are scored perturbed and as they are, with the paired difference for each kind and dose.

    The perturbations are those of ``ctxlab eval perturb=``. A loss is a finding where it is larger than ``margin`` and
    than chance: some loss is natural, since a perturbed word may be the evidence.
    """

    question = "How much quality do typing errors, case, Unicode, synonyms and distractors cost?"

    def __init__(
        self,
        perturb: Mapping[str, Augmentation],
        doses: Mapping[str, Sequence[float]] | None = None,
        margin: float = 0.05,
    ) -> None:
        """Store the perturbations.

        Args:
            perturb: Name → perturbation.
            doses: Name of a perturbation → doses at which it is applied; others have their own alone.
            margin: Losses up to this size do not matter, in units of the figure.

        Raises:
            ValueError: A dose is of a perturbation that is not there, or out of range.
        """
        self.perturb, self.doses, self.margin = perturb, dict(doses or {}), margin
        for name, several in self.doses.items():
            if name not in perturb:
                raise ValueError(f"doses.{name} is no perturbation: use {', '.join(perturb)}.")
            if not several or not all(0 < dose <= 1 for dose in several):
                raise ValueError(f"doses.{name}={list(several)} are no fractions above 0 and at most 1: give some.")

    def check(self, subject: Subject) -> Finding:
        """See ``Check``."""
        if subject.task.shape is None:
            return not_applicable(f"task={subject.task.name} has no text that could be changed without its question.")
        if len(subject.documents) < subject.rules.least:
            return too_little(
                f"There are {len(subject.documents)} documents, and at least {subject.rules.least} are needed."
            )
        own, compared, notes = subject.own(), list[Compared](), list[str]()
        for name, augmentation in self._dosed():
            documents = _perturbed(augmentation, subject)
            num = sum(new is not old for new, old in zip(documents, subject.documents, strict=True))
            if not num:
                notes.append(f"{name} changes no document, and was left out.")
                continue
            scores = subject.answers(name, documents).scores
            sides = Sides(f"{name} ({num:,} of {len(documents):,} documents changed)", subject.figure)
            compared.append(paired(sides, scores, own.scores, subject.rules.seed))
        if not compared:
            return not_applicable("No perturbation changes any document.")
        side: Side = "above" if subject.lower_is_better else "below"
        found = judged(compared, subject.rules, self.margin, side=side)
        nothing = f"No perturbation costs more than {self.margin:g}."
        note = "first: perturbed; second: as it is"
        tables = [_losses(found, subject), table(found, "Perturbed against as it is", note)]
        return Finding(verdict(found), sentence(found, nothing), found, tables=tables, notes=notes)

    def _dosed(self) -> Sequence[tuple[str, Augmentation]]:
        """Return every perturbation at each of its doses."""
        found = []
        for name, augmentation in self.perturb.items():
            for dose in self.doses.get(name, [None]):
                own = copy.deepcopy(augmentation)
                if dose is not None:
                    own.dose = dose  # type: ignore[attr-defined] # all of conf/perturb but none have one
                found.append((name if dose is None else f"{name} at {dose:g}", own))
        return found


def _perturbed(augmentation: Augmentation, subject: Subject) -> list[Document]:
    """Return the documents perturbed, which depend on content, id and seed alone."""
    augmentation.learn(subject.documents, subject.task)
    seed = subject.rules.seed
    return [changed(augmentation, document, subject.task, seed=seed, epoch=0) for document in subject.documents]


def _losses(found: Sequence[Compared], subject: Subject) -> Table:
    """Return the difference that each perturbation makes."""
    columns = ("perturbation", f"difference of {subject.figure}", "low", "high")
    rows = [(one.name, one.difference, one.low, one.high) for one in found]
    return Table("losses", "What perturbations change", columns, rows, drawn=BARS)
