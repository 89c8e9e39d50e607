"""Mechanisms of explanation by their names, for a server."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.explanation import OUTPUTS, Explanation
from ctxlab.core.types import Document, Encoded, Merged
from ctxlab.evaluation.answerer import Answer
from ctxlab.runtime.exported_model import ExportedModel
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.explaining.explainer import Explainer, refuse
from ctxlab.workbench.explaining.lines import line

GROUP = "explanation"


@dataclass(frozen=True, eq=False)
class Served:
    """A mechanism as a server uses it: one pass at a time, by one thread at a time."""

    explainer: Explainer

    def check(self, document: Document, encoded: Encoded) -> None:
        """Raise UserError if the document is too long for the mechanism."""
        self.explainer.check_one(document, encoded)

    def explain(
        self,
        document: Document,
        encoded: Encoded,
        *,
        read: Callable[[Encoded], Merged],
        pause: Callable[[int], None],
        wanted: str,
    ) -> Answer:
        """Return the line of ``ctxlab explain``, and the coverage; see ``serving.why.Mechanism``.

        Args:
            document: A document of the task.
            encoded: Its tokens.
            read: Reads the whole document.
            pause: Called before each forward pass with its tokens.
            wanted: The part of the answer that is explained; empty for all.

        Raises:
            UserError: It cannot be explained, or has no such part.
        """
        merged = read(encoded)
        found = self.explainer.explained_one(document, encoded, merged, pause=pause, wanted=wanted)
        return Answer(line(found), found.answer.coverage)


@dataclass(eq=False)
class Named:
    """Returns mechanisms by name; each is made once."""

    bench: Workbench
    default: Explanation
    """What is used where no name is given, with the options of the command."""
    targets: int
    """Most parts of an answer that are explained."""
    _made: dict[str, Served] = field(default_factory=dict)

    def __call__(self, name: str) -> Served:
        """Return a mechanism.

        Raises:
            UserError: There is none of this name, the task has no answer that can be explained, or the mechanism needs
                more of the model than an exported one has.
        """
        refuse(self.bench.task)
        name = name or option(self.default)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Served:
        explanation = self.default if name == option(self.default) else _built(name)
        if explanation.needs != OUTPUTS and isinstance(self.bench.model, ExportedModel):
            raise UserError(
                f"explanation={name} needs the {explanation.needs} of the model, which a bundle does not give: use "
                "occlusion or shapley."
            )
        answerer = self.bench.answerer()
        own = replace(answerer, task=copy.deepcopy(answerer.task))
        return Served(Explainer(self.bench, own, explanation, self.targets))


def _built(name: str) -> Explanation:
    """Return the mechanism of a file of ``conf/explanation`` with its defaults.

    Raises:
        UserError: There is none.
    """
    known = catalogue.options(GROUP)
    if name not in known:
        raise UserError(f"There is no such explanation: choose among {', '.join(known)}, or leave it out.")
    return build(catalogue.read(catalogue.option_file(GROUP, name)), Explanation)
