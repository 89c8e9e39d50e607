"""Task, model and strategy joined, ready to read documents or to be trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ctxlab.config.keys.run import TrainerConfig
from ctxlab.core.cache import cache_dir
from ctxlab.core.model import ModelFacts
from ctxlab.core.privacy import Privacy
from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Task
from ctxlab.core.types import Document, Encoded
from ctxlab.data.encode import encode_documents
from ctxlab.evaluation.answerer import Answerer
from ctxlab.privacy.none import NoPrivacy
from ctxlab.runtime.chooser import Chooser
from ctxlab.runtime.forward import AFTER_WINDOW, IN_DECODER
from ctxlab.runtime.generator import TextGenerator
from ctxlab.runtime.matrix_rate import matrix_rate
from ctxlab.runtime.reader import Reader

_TARGET_PLACES = {"decoder": AFTER_WINDOW, "encoder_decoder": IN_DECODER}


@dataclass(frozen=True, eq=False)
class Workbench:
    """Task, tokenizer, model and strategy that ``workbench.opening.open_bench`` joins."""

    task: Task
    tokenizer: Any
    model: Any
    strategy: Strategy
    facts: ModelFacts
    """Properties of the model before the strategy changed it."""
    accelerator: Any
    length: int
    """Context length in tokens."""
    settings: TrainerConfig
    privacy: Privacy = field(default_factory=NoPrivacy)
    """What is replaced in the records that ``answerer`` reads."""

    def encode(self, documents: Sequence[Document]) -> Sequence[Encoded]:
        """Tokenise whole documents, or take them from the cache."""
        return encode_documents(
            self.task, documents, tokenizer=self.tokenizer, cache_dir=cache_dir(), num_workers=self.settings.num_workers
        )

    def reader(self) -> Reader:
        """Return the reader of documents; the accelerator has prepared the model in place."""
        chooses = self.task.chooses
        return Reader(
            model=Chooser(self.model, self.task.continuations) if chooses else self.model,
            strategy=self.strategy,
            length=self.length,
            tokens_per_forward=self._tokens_per_forward,
            pad_id=self.tokenizer.pad_token_id,
            device=self.accelerator.device,
            reduce_outputs=self.task.reduce_outputs,
            members=[self.task.part(number).reduce_outputs for number in range(len(self.task.shares))],
            generator=self._generator() if self.task.generates and not chooses else None,
            scores_target=self.task.scores_target,
            runs_model=self.task.runs_model,
        )

    def answerer(self) -> Answerer:
        """Return what answers documents one by one or many together."""
        return Answerer(self.task, self.encode, self.reader(), self.privacy)

    def matrix_rate_share(self, flops: float, seconds: float) -> float | None:
        """Return operations per second over those of this machine's matrix products; None for work without any."""
        if not flops or not seconds:
            return None
        precision = self.accelerator.mixed_precision.replace("no", "fp32")
        reached = flops / seconds
        return reached / matrix_rate(self.accelerator.device, precision, reached)

    @property
    def target_place(self) -> str | None:
        """Return where target tokens are placed, see ``runtime.forward.Passes``; None if the task generates no text."""
        return _TARGET_PLACES[self.facts.kind] if self.task.generates else None

    @property
    def _tokens_per_forward(self) -> int:
        return self.settings.tokens_per_forward or max(self.settings.tokens_per_step, self.length)

    def _generator(self) -> TextGenerator:
        target_place = _TARGET_PLACES[self.facts.kind]
        # The pattern of an encoder-decoder applies to its source, which is padded at its end and does not grow.
        attention, is_source = self.strategy.attention, target_place == IN_DECODER
        return TextGenerator(
            model=self.model,
            decoding=self.task.decoding,
            target_place=target_place,
            stops=self.task.stops,
            pad_id=self.tokenizer.pad_token_id,
            tokens_per_forward=self._tokens_per_forward,
            cached=(is_source or attention.caches) and not self.strategy.positions.by_batch,
            padded=is_source or attention.shifts,
            device=self.accelerator.device,
        )
