"""The least informative sentences or tokens are left out, until the configured fraction remains."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.added_modules import attach, attached
from ctxlab.core.architecture import installed, note_installed, vocabulary_size
from ctxlab.core.errors import UserError
from ctxlab.core.types import Encoded, Window
from ctxlab.strategies.reading.choosing.information import (
    Frequencies,
    count,
    is_language_model,
    model_self_information,
    self_information,
)
from ctxlab.strategies.reading.choosing.keeping import (
    PartialReading,
    ScoreCache,
    best_units,
    one_window,
    sentence_starts,
)
from ctxlab.strategies.reading.choosing.ranking import Numbers
from ctxlab.strategies.reading.windows.framing import room

UNITS, SCORERS = ("sentence", "token"), ("frequencies", "model")

LEARNED = {"name": "compress", "frequencies": True}
"""Entry in the config of a model whose checkpoint contains token frequencies."""

MODEL_WINDOW = 512
"""Most tokens of a window in which the model scores tokens; less where its trained length is less."""


class Compress(PartialReading):
    """Keeps the fraction ``ratio`` of a document's tokens with the highest self-information, in document order.

    The number of kept tokens is at most the ratio and at most what fits the context, and at least one. The
    self-information of a unit is the mean over its tokens; the unit at which the number is reached is cut there, so
    that the ratio is met exactly wherever it fits the context.

    Self-information is −log p under the token frequencies of the training documents (add-one smoothing), which are
    saved in the checkpoint; if it has none, those of the document itself are used. With ``scorer=model`` it is −log p
    under a second copy of the run's model as published, so that the selection does not change during training.

    Source: Selective Context (Li et al. 2023, arXiv:2310.06201). Deviations: information is averaged over a unit,
    while the paper sums it and keeps a percentile of units, as the budget here is a number of tokens; no noun phrases;
    corpus frequencies as an alternative to a model; sentences are those marked in the data, else spans of
    ``sentence_tokens`` tokens.
    """

    def __init__(
        self, ratio: float = 0.5, unit: str = "sentence", scorer: str = "frequencies", sentence_tokens: int = 32
    ) -> None:
        """Build the reading.

        Args:
            ratio: Fraction of the tokens to keep, above 0 and at most 1.
            unit: What is kept or left out: sentence or token.
            scorer: Where self-information comes from: frequencies or model.
            sentence_tokens: Tokens of a span that replaces a sentence where the data marks none.

        Raises:
            UserError: A value is out of range or unknown.
        """
        if not 0 < ratio <= 1:
            raise UserError(
                f"strategy.reading.ratio={ratio} must be above 0 and at most 1: it is the fraction of tokens to keep."
            )
        if unit not in UNITS:
            raise UserError(f"strategy.reading.unit={unit} is not one of {', '.join(UNITS)}.")
        if scorer not in SCORERS:
            raise UserError(f"strategy.reading.scorer={scorer} is not one of {', '.join(SCORERS)}.")
        if sentence_tokens < 1:
            raise UserError(f"strategy.reading.sentence_tokens={sentence_tokens} must be at least 1 token.")
        self.ratio, self.unit, self.scorer, self.sentence_tokens = ratio, unit, scorer, sentence_tokens
        self._score_cache = ScoreCache()
        self._model: Any = None
        self._scorer: Any = None
        self._window = MODEL_WINDOW
        self.wants_scorer = scorer == "model"

    def fit(self, trained_length: int | None, added: int, length: int, *, extended: bool) -> None:
        """Limit the windows in which a model scores tokens to its trained length, too."""
        super().fit(trained_length, added, length, extended=extended)
        self._window = min(trained_length or MODEL_WINDOW, MODEL_WINDOW)

    def install(self, model: Any) -> None:
        """Add an empty table for the frequencies that the checkpoint contains, so that they can be loaded."""
        self._model = model
        in_checkpoint = installed(model.config, "reading") == LEARNED
        if self.scorer == "frequencies" and in_checkpoint and self._frequencies() is None:
            attach(model, "reading", Frequencies(vocabulary_size(model)))

    def take_scorer(self, model: Any) -> None:
        """Score tokens with this ``model`` from now on.

        Raises:
            UserError: The model is not a causal language model.
        """
        if not is_language_model(model):
            raise UserError(
                f"strategy.reading.scorer=model needs a causal model with a language-model head, which this "
                f"{type(model).__name__} is not: use strategy.reading.scorer=frequencies."
            )
        self._scorer = model.eval()

    def learn(self, encoded: Sequence[Encoded], model: Any) -> None:
        """Count the tokens of the training documents, unless the checkpoint contains such counts."""
        if self.scorer != "frequencies":
            return
        frequencies = Frequencies(vocabulary_size(model))
        known = self._frequencies()
        if known is None or not known.known:
            frequencies.learn(encoded)
            attach(model, "reading", frequencies)
            note_installed(model.config, "reading", LEARNED)

    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """Return one window with the kept tokens; none for a document without tokens."""
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
        """Return (L,) the self-information of each token."""
        ids = encoded.input_ids
        if self.scorer == "model":
            return self._score_cache.get(
                encoded, self._window, lambda: model_self_information(self._scorer, ids, self._window)
            )
        known = self._frequencies()
        if known is not None and known.known:
            return self_information(ids, known.counts.cpu().numpy())
        size = int(ids.max()) + 1 if self._model is None else vocabulary_size(self._model)
        return self_information(ids, count(ids, size))

    def _frequencies(self) -> Frequencies | None:
        module = None if self._model is None else attached(self._model, "reading")
        return module if isinstance(module, Frequencies) else None

    def notes(self, kept: Mapping[str, float]) -> list[str]:
        """Report the configured and the achieved ratio, and which frequencies were used."""
        shares = ", ".join(f"{share:.1%} of {split}" for split, share in kept.items())
        notes = [f"strategy.reading.ratio={self.ratio} kept {shares} (fewer tokens where the context is full)."]
        known = self._frequencies()
        if self.scorer == "frequencies" and (known is None or not known.known):
            notes.append(
                "The checkpoint contains no token frequencies of training documents: tokens were scored with the "
                "frequencies in their own document."
            )
        return notes
