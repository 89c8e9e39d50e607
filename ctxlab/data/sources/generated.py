"""Generated documents, so that every task runs without a network."""

import difflib
import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from ctxlab import corpora
from ctxlab.config.nearest import suggestion
from ctxlab.core import plugins
from ctxlab.core.data import Record, Source
from ctxlab.core.errors import UserError
from ctxlab.corpora import named
from ctxlab.corpora.grammar import chinese
from ctxlab.corpora.grammar.brief import Brief
from ctxlab.data.identity import check_max_documents

COUNTS = {"train": 40, "validation": 8, "test": 8}
"""Default number of documents of each split."""

LANGUAGES = ("en", "zh")
"""Values of ``data.language``."""

SHORTEST = 20
"""Minimum words of a document that every grammar supports."""


class Generated(Source):
    """Documents with gold labels whose evidence is at a controlled distance, a pure function of seed, split and index.

    The grammar of a task is ``ctxlab/corpora/<task>.py``, or that file of a plug-in, with a function ``write``: it
    takes a ``Brief`` and the index of a document, and returns all fields of its record but the ``id``. A grammar with
    options (``probe=…``) has a function ``writer`` instead, which takes its options, split and seed and returns a
    function from the index to the record. ``COUNTS`` in the module is the default number of documents of each split.
    """

    invented = True

    def __init__(
        self,
        documents: int | None = None,
        validation_documents: int | None = None,
        test_documents: int | None = None,
        words_per_document: int = 3000,
        ambiguous_share: float = 0.1,
        evidence_distance: Sequence[int] = (16, 64, 256, 1024),
        max_documents: int | None = None,
        probe: Mapping[str, Any] | None = None,
        language: str = "en",
        corpus: str | None = None,
        stages: Sequence[Any] | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            documents: Training documents, at least 1; None takes the grammar's number.
            validation_documents: Documents that select the checkpoint, 0 or more; None takes the grammar's number.
            test_documents: Documents scored once at the end, 0 or more; None takes the grammar's number.
            words_per_document: Words, punctuation included, at least 20.
            ambiguous_share: Fraction of the mentions that only another sentence explains, 0 to 1.
            evidence_distance: Words between such a mention and its explanation, at least 1 each; drawn from those
                that fit.
            max_documents: Maximum documents per split, at least 1; None makes all.
            probe: Options of the probe, for ``task=probe``.
            language: Language of the grammar, ``en`` or ``zh``.
            corpus: Another grammar for the task, a file under ``ctxlab/corpora/named``; None for the task's own.
            stages: Corpora in sequence, see ``Source.stages``.
        """
        if language not in LANGUAGES:
            raise UserError(f"data.language={language} has no grammar: use {' or '.join(LANGUAGES)}.")
        if corpus is not None:
            _check_named(corpus, language)
        check_max_documents(max_documents)
        self.notes: list[str] = []
        self.stages = stages
        counts = {
            "documents": documents,
            "validation_documents": validation_documents,
            "test_documents": test_documents,
        }
        for name, count in counts.items():
            least = 1 if name == "documents" else 0
            if count is not None and count < least:
                raise UserError(f"data.{name}={count} is too few: give at least {least}.")
        if words_per_document < SHORTEST:
            raise UserError(f"data.words_per_document={words_per_document} is too short: give at least {SHORTEST}.")
        if not 0 <= ambiguous_share <= 1:
            raise UserError(f"data.ambiguous_share={ambiguous_share} is not a fraction: give a number from 0 to 1.")
        if not evidence_distance or min(evidence_distance) < 1:
            raise UserError(
                f"data.evidence_distance={list(evidence_distance)} is not a list of distances: "
                "give word counts of at least 1, such as [16,64]."
            )
        self._counts = dict(zip(("train", "validation", "test"), counts.values(), strict=True))
        self._brief = partial(
            Brief,
            words_per_document=words_per_document,
            ambiguous_share=ambiguous_share,
            evidence_distance=tuple(evidence_distance),
        )
        self._max_documents, self._probe = max_documents, probe
        self._language, self._corpus = language, corpus

    def load(self, task_name: str, split: str, seed: int) -> list[Record]:
        """Generate the documents of the split; raises UserError if the task has no grammar."""
        given = self._counts[split]
        grammar = self._grammar(task_name)
        count = given if given is not None else getattr(grammar, "COUNTS", COUNTS)[split]
        count = min(count, self._max_documents or count)
        write = self._writer(grammar, split, seed)
        return [
            Record({"id": f"generated-{split}-{seed}-{i}", **write(i)}, f"generated {split} document {i + 1}")
            for i in range(count)
        ]

    def _grammar(self, task_name: str) -> ModuleType:
        if self._corpus is None:
            return importlib.import_module(_grammars()[_checked(task_name)])
        found = importlib.import_module(f"{named.__name__}.{self._corpus}")
        if task_name != found.TASK:
            raise UserError(
                f"data.corpus={self._corpus} has documents for task={found.TASK}, not for task={task_name}: use "
                f"task={found.TASK}, or leave data.corpus out."
            )
        return found

    def _writer(self, grammar: ModuleType, split: str, seed: int) -> Callable[[int], dict[str, Any]]:
        """Return the function from index to document."""
        if self._language == "zh":
            return partial(_chinese(grammar.__name__.rsplit(".", 1)[-1]), self._brief(split, seed))
        if hasattr(grammar, "writer"):
            writer: Callable[[int], dict[str, Any]] = grammar.writer(self._probe, split, seed)
            return writer
        return partial(grammar.write, self._brief(split, seed))


def corpora_by_name() -> list[str]:
    """Return the values of ``data.corpus``."""
    return sorted(path.stem for path in Path(named.__path__[0]).glob("[!_]*.py"))


def _check_named(corpus: str, language: str) -> None:
    known = corpora_by_name()
    if corpus not in known:
        raise UserError(f"data.corpus={corpus}: there is no corpus '{corpus}'{suggestion(corpus, known, 'corpora')}")
    if language != "en":
        raise UserError(f"data.corpus={corpus} has no documents in data.language={language}: leave one of them out.")


def _chinese(task_name: str) -> Callable[..., dict[str, Any]]:
    """Return the generator of Chinese documents for a task; raises UserError if there is none."""
    if task_name not in chinese.WRITERS:
        raise UserError(
            f"There is no Chinese grammar for task={task_name} (there are: {', '.join(sorted(chinese.WRITERS))}): use "
            "data.language=en, or your own files with data=files data.train_file=…."
        )
    writer: Callable[..., dict[str, Any]] = chinese.WRITERS[task_name]
    return writer


def grammars() -> list[str]:
    """Return the tasks that have a grammar."""
    return sorted(_grammars())


def _grammars() -> dict[str, str]:
    """Return task → module with its grammar; ctxlab's grammars take precedence over those of plug-ins."""
    own = (path.stem for folder in corpora.__path__ for path in Path(folder).glob("[!_]*.py"))
    return {**plugins.grammars(), **{name: f"ctxlab.corpora.{name}" for name in own}}


def _checked(task_name: str) -> str:
    known = grammars()
    if task_name in known:
        return task_name
    close = difflib.get_close_matches(task_name, known, n=1)
    hint = f"; the nearest is {close[0]}" if close else ""
    raise UserError(
        f"There is no generated corpus for task={task_name}{hint} (there are: {', '.join(known)}): "
        "use your own files with data=files data.train_file=…."
    )
