"""Names: what a run of task=ner finds, and what has a form."""

from collections.abc import Callable, Sequence

from ctxlab.core.errors import UserError
from ctxlab.core.privacy import Find, Privacy
from ctxlab.privacy.finding.known import checked_kinds, found, without_overlaps
from ctxlab.privacy.replacing.styles import Style

Names = Callable[[Sequence[str]], list[list[Find]]]


class Model(Privacy):
    """The entities that a trained tagger finds in whole documents, besides what ``privacy=patterns`` finds.

    It finds as much as the run does: its recall on documents like yours is that of its ``report.md``.
    """

    def __init__(
        self,
        run: str | None,
        style: str,
        types: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        key: str | None = None,
    ) -> None:
        """Store the options.

        Args:
            run: Directory of a training run of ``task=ner``.
            style: ``mask``, ``tag`` or ``pseudonym``.
            types: Entity types that are replaced; None for all that the run knows.
            kinds: Kinds with a form that are found; None for all.
            key: Key of the pseudonyms; None draws one for this command alone.

        Raises:
            UserError: No run is named, or a value is not known.
        """
        if not run:
            raise UserError("privacy=model needs a run that finds names: give privacy.run=<directory of task=ner>.")
        self.run, self._types = run, types
        self._kinds = checked_kinds(kinds)
        self._style = Style(style, key)
        self._names: Names = lambda texts: [[] for _ in texts]

    def take_names(self, names: Names) -> None:
        """Take the tagger."""
        self._names = names

    def find(self, texts: Sequence[str]) -> list[list[Find]]:
        """Return what has a form, and the entities of the other text."""
        return [
            without_overlaps([*found(text, self._kinds), *(one for one in names if self._is_wanted(one))])
            for text, names in zip(texts, self._names(texts), strict=True)
        ]

    def _is_wanted(self, find: Find) -> bool:
        return self._types is None or find.kind in self._types

    def replacement(self, find: Find, written: str) -> str:
        """Return what stands for a find that is ``written`` so."""
        return self._style.replacement(find, written)

    def name(self, find: Find) -> str:
        """Return the pseudonym of a find."""
        return self._style.name(find)
