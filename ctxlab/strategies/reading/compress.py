"""What tells least is left out: sentences or tokens, until the share that is asked for remains."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.added_modules import attach, attached
from ctxlab.core.architecture import installed, note_installed, vocabulary_size
from ctxlab.core.errors import UserError
from ctxlab.core.types import Encoded, Window
from ctxlab.strategies.reading.choosing.information import Frequencies, count, model_surprise, speaks, surprise
from ctxlab.strategies.reading.choosing.keeping import Keeping, Remembered, best_units, one_window, sentence_starts
from ctxlab.strategies.reading.choosing.ranking import Numbers
from ctxlab.strategies.reading.windows.framing import room

UNITS, SCORERS = ("sentence", "token"), ("frequencies", "model")

LEARNED = {"name": "compress", "frequencies": True}
"""What the config of a model says that brings frequencies along."""

MODEL_WINDOW = 512
"""Tokens that the model sees at a time when it scores, at most: its trained length."""


class Compress(Keeping):
    """Keeps the ``ratio`` of a document's tokens that are most surprising, in their order, and what fits the context.

    Where the two disagree the smaller wins: never more than the ratio, never more than fits, and at least one token. A
    unit's information is the mean over its tokens; the unit at which the ratio is reached is cut there, so that what is
    achieved is what was asked for wherever it fits.

    Surprise is −log p under the frequencies of the training documents (add-one smoothing), which a checkpoint brings
    along; for one that was trained without, those of the document itself serve. Or it is that under the run's model as
    it was published, a second one with its language-model head: what is kept does not change while the other learns.

    Source: Selective Context (Li et al. 2023, arXiv:2310.06201). Deviations: information is averaged over a unit where
    the paper adds it up and keeps a percentile of units, as the budget here is one of tokens; no noun phrases; corpus
    frequencies beside a model; sentences are those that the data marks, else stretches of ``sentence_tokens`` tokens.
    """

    def __init__(
        self, ratio: float = 0.5, unit: str = "sentence", scorer: str = "frequencies", sentence_tokens: int = 32
    ) -> None:
        """Take the share of tokens to keep, what is kept or left whole, who scores, and tokens of a stretch."""
        if not 0 < ratio <= 1:
            raise UserError(f"strategy.reading.ratio={ratio} must be above 0 and at most 1: the share that is kept.")
        if unit not in UNITS:
            raise UserError(f"strategy.reading.unit={unit} is not one of {', '.join(UNITS)}.")
        if scorer not in SCORERS:
            raise UserError(f"strategy.reading.scorer={scorer} is not one of {', '.join(SCORERS)}.")
        if sentence_tokens < 1:
            raise UserError(f"strategy.reading.sentence_tokens={sentence_tokens} must be at least 1 token.")
        self.ratio, self.unit, self.scorer, self.sentence_tokens = ratio, unit, scorer, sentence_tokens
        self._remembered = Remembered()
        self._model: Any = None
        self._scorer: Any = None
        self._window = MODEL_WINDOW
        self.wants_scorer = scorer == "model"

    def fit(self, trained_length: int | None, added: int, length: int, *, stretched: bool) -> None:
        """A model that scores sees no more at a time than it was trained for."""
        super().fit(trained_length, added, length, stretched=stretched)
        self._window = min(trained_length or MODEL_WINDOW, MODEL_WINDOW)

    def install(self, model: Any) -> None:
        """Make room for the frequencies that a checkpoint brings along."""
        self._model = model
        brought = installed(model.config, "reading") == LEARNED
        if self.scorer == "frequencies" and brought and self._frequencies() is None:
            attach(model, "reading", Frequencies(vocabulary_size(model)))

    def take_scorer(self, model: Any) -> None:
        """Score by this ``model`` from now on.

        Raises:
            UserError: It cannot.
        """
        if not speaks(model):
            raise UserError(
                f"strategy.reading.scorer=model needs a causal model with a language-model head, and this "
                f"{type(model).__name__} is none: use strategy.reading.scorer=frequencies."
            )
        self._scorer = model.eval()

    def learn(self, encoded: Sequence[Encoded], model: Any) -> None:
        """Count the tokens of the training documents, unless a checkpoint has brought such counts along."""
        if self.scorer != "frequencies":
            return
        frequencies = Frequencies(vocabulary_size(model))
        known = self._frequencies()
        if known is None or not known.known:
            frequencies.learn(encoded)
            attach(model, "reading", frequencies)
            note_installed(model.config, "reading", LEARNED)

    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """One window; none for a document without tokens."""
        num_tokens = len(encoded)
        kept = min(room(encoded, self.longest(length), length), max(round(self.ratio * num_tokens), min(num_tokens, 1)))
        if kept == num_tokens:
            return one_window(encoded, np.arange(num_tokens))
        information = self._information(encoded)
        if self.unit == "token":
            return one_window(encoded, best_units(np.arange(num_tokens), information, num_tokens, kept))
        starts = sentence_starts(encoded, self.sentence_tokens)
        means = np.add.reduceat(information, starts) / np.diff(starts, append=num_tokens)
        return one_window(encoded, best_units(starts, means, num_tokens, kept))

    def _information(self, encoded: Encoded) -> Numbers:
        """(L,) surprise at each token."""
        ids = encoded.input_ids
        if self.scorer == "model":
            return self._remembered.get(encoded, self._window, lambda: model_surprise(self._scorer, ids, self._window))
        known = self._frequencies()
        if known is not None and known.known:
            return surprise(ids, known.counts.cpu().numpy())
        size = int(ids.max()) + 1 if self._model is None else vocabulary_size(self._model)
        return surprise(ids, count(ids, size))

    def _frequencies(self) -> Frequencies | None:
        module = None if self._model is None else attached(self._model, "reading")
        return module if isinstance(module, Frequencies) else None

    def notes(self, kept: Mapping[str, float]) -> list[str]:
        """The ratio that was asked for beside the one that came out, and whose frequencies were used."""
        shares = ", ".join(f"{share:.1%} of {split}" for split, share in kept.items())
        notes = [f"strategy.reading.ratio={self.ratio} was asked for; kept were {shares} (the context may hold less)."]
        known = self._frequencies()
        if self.scorer == "frequencies" and (known is None or not known.known):
            notes.append(
                "The checkpoint has no token frequencies of training documents: tokens were scored by those of the "
                "document itself."
            )
        return notes
