"""What tasks whose answer is written have in common: prompts, solved examples, targets, and text out of windows.

A decoder reads ``<instruction> <examples> <window> <question> <cue>`` and goes on; an encoder-decoder reads
``<instruction> <question> <window>`` and writes with its decoder. What the windows of a document give becomes one text
by a rule of ``RULES``.

Shape legend: L tokens of a document, T tokens of a target, B windows of a batch, W tokens of a window, V tokens of the
vocabulary.
"""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.task import Loss
from ctxlab.core.types import ADDED, LAST, NO_LABEL, BoolArray, Document, Encoded, IntArray, Merged, Prediction, Written
from ctxlab.tasks.forms import vocabulary
from ctxlab.tasks.forms.base import Base
from ctxlab.tasks.records.evidence import evidence_of
from ctxlab.tasks.text.encoding import Pieces, encode_text, invents_blanks, query_of
from ctxlab.tasks.text.subwords import frame
from ctxlab.tasks.written.decoding import checked_decoding
from ctxlab.tasks.written.prompts import Prompt, end_of_text, ids_of
from ctxlab.text.clusters import whole
from ctxlab.text.units import first_words, needs_blank, without_invented_blanks

HEADS = {"decoder": "causal_lm", "encoder_decoder": "seq2seq_lm"}
"""By the kind of the model."""


def join(texts: Sequence[str], scores: Sequence[float]) -> str:
    """All of them in document order, a line each."""
    del scores
    return "\n".join(text for text in texts if text)


def best(texts: Sequence[str], scores: Sequence[float]) -> str:
    """The one that the model held for likeliest by its mean log probability, of those that are not empty."""
    ranked = [(score, -i) for i, (text, score) in enumerate(zip(texts, scores, strict=True)) if text]
    return texts[-max(ranked)[1]] if ranked else ""


def last(texts: Sequence[str], scores: Sequence[float]) -> str:
    """That of the last window: for what goes on from the end of a document."""
    del scores
    return texts[-1] if texts else ""


RULES: dict[str, Callable[[Sequence[str], Sequence[float]], str]] = {"join": join, "best": best, "last": last}
"""Values of ``task.combine``."""


@dataclass(frozen=True, slots=True, eq=False)
class WrittenText:
    """The text for one document."""

    text: str
    pieces: tuple[str, ...]
    """What each window gave."""
    scores: tuple[float, ...]
    """Mean log probability (nats) of each piece."""
    target_nll: float
    """Nats that the gold target cost; 0 where nothing was asked."""
    num_asked: int
    """Target tokens that it is the sum over."""
    seen: BoolArray
    """(L,) which tokens of the document were read."""
    starts: IntArray
    """(L,) first character of each."""
    evidence: tuple[tuple[float, bool], ...]
    """Of each known piece of evidence its place in the document (share, 0 to 1) and whether it was read whole."""

    @property
    def is_read(self) -> bool:
        """Whether anything was read."""
        return bool(self.seen.any())


class Writing(Base, ABC):
    """A text for each document; a task adds its records, what is read, what is asked and what is to be written.

    Deviations from usual practice: a prompt is plain text, without the chat template of an instruction-tuned model, so
    that every decoder reads the same; it stands around every window; and an example's document is cut to
    ``example_words`` words, as whole ones would fill the context.
    """

    name: str
    kinds = frozenset({"decoder", "encoder_decoder"})
    writes = True

    def __init__(self, decoding: Mapping[str, Any] | None, prompt: Prompt, combine: str) -> None:
        """Take how text is written, what stands around windows, and the rule that makes one text of theirs."""
        super().__init__()
        if combine not in RULES:
            raise UserError(f"task.combine={combine} is not one of {', '.join(RULES)}.")
        if prompt.shots < 0:
            raise UserError(f"task.shots={prompt.shots} is negative: give the number of solved examples, or 0.")
        if prompt.example_words < 1:
            raise UserError(f"task.example_words={prompt.example_words} leaves nothing of an example: give at least 1.")
        self.decoding, self.prompt = checked_decoding(decoding or {}), prompt
        self._combine = RULES[combine]
        self.num_examples = prompt.shots
        self._pool: Sequence[Document] = ()
        self._seed = 0
        self._tokenizer: Any = None

    @abstractmethod
    def source(self, document: Document) -> str:
        """What is read in windows."""

    @abstractmethod
    def target(self, document: Document) -> str | None:
        """What is to be written, None where it is not known."""

    def ask(self, document: Document) -> str:
        """What is asked of the document, behind every window; nothing, unless a task says otherwise."""
        del document
        return ""

    def cue(self, document: Document) -> str:
        """What a decoder's text begins behind: the same for all documents, unless a task says otherwise."""
        del document
        return self.prompt.cue

    def anchors(self, document: Document, starts: IntArray) -> list[tuple[str, int]]:
        """Pieces of the target, each with the document token that it renders; one about all, unless a task differs.

        ``starts`` (L,) are the first characters of the document's tokens. Joined with blanks the pieces are the target.
        """
        del starts
        target = self.target(document)
        return [] if target is None else [(target, self.anchor)]

    @property
    def anchor(self) -> int:
        """Where a target belongs that renders no token: behind the window whose text counts."""
        return LAST if self._combine is last else ADDED

    def evidence(self, document: Document, text: Pieces) -> IntArray:
        """Document tokens without which a window cannot know the target; none, unless a task can say."""
        del document, text
        return np.zeros(0, np.int64)

    def absent(self) -> str:
        """What a window without the evidence is to write; nothing, unless a task has evidence."""
        return ""

    def group(self, document: Document) -> str:
        """Id of the record that it is a part of."""
        return str(document.fields.get("group", document.id))

    def excerpt(self, document: Document, num_words: int) -> str:
        """The part of an example's document that is shown: its beginning, unless a task knows better."""
        return first_words(self.source(document), num_words)

    def solution(self, document: Document, num_words: int) -> str:
        """What is shown as written for that part: the whole target, unless that renders the text piece by piece."""
        del num_words
        return str(self.target(document))

    def form(self, kind: str) -> Any:
        """With the head of that kind of model; a kind that writes nothing is refused later.

        Raises:
            UserError: Solved examples for a model that is shown none.
        """
        if kind == "encoder_decoder" and self.prompt.shots:
            raise UserError(
                f"task.shots={self.prompt.shots}: a model of kind {kind} learns a task by training and is shown no "
                "solved examples: use task.shots=0, or a decoder such as model=smollm2."
            )
        self.head = HEADS.get(kind, HEADS["decoder"])
        self.kind = kind
        return self

    def take_examples(self, documents: Sequence[Document], seed: int) -> None:
        """Keep those that can be shown: solved ones."""
        self._pool = [document for document in documents if self.target(document)]
        self._seed = seed
        if len(self._pool) < self.num_examples:
            raise self._too_few(len(self._pool), "")

    def examples(self, document: Document) -> list[Document]:
        """``shots`` training documents, drawn by the seed and the document's id.

        Never the document, nor another part of its record, nor one of the same text.

        Raises:
            UserError: There are not as many others.
        """
        if not self.num_examples:
            return []
        own, group = self.source(document), self.group(document)
        others = [other for other in self._pool if self.group(other) != group and self.source(other) != own]
        if len(others) < self.num_examples:
            raise self._too_few(len(others), f" beside '{document.id}'")
        random = np.random.default_rng((self._seed % 2**63, zlib.crc32(document.id.encode())))
        chosen = random.permutation(len(others))[: self.num_examples]
        return [others[i] for i in chosen]

    def _too_few(self, count: int, beside: str) -> UserError:
        return UserError(
            f"task.shots={self.num_examples} needs as many solved training documents{beside}, and there are {count}: "
            f"use task.shots={count}, or give more."
        )

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """All that stands in prompts, the examples included."""
        prompt = [getattr(self.prompt, field.name) for field in fields(self.prompt)]
        shown = [(d.id, self.source(d), self.ask(d), self.target(d)) for d in self._pool if self.num_examples]
        drawn = [self._seed, zlib.crc32(repr(shown).encode())] if shown else []
        return (self.kind, prompt, self.decoding.max_new_tokens, *drawn)

    def prepare(self, tokenizer: Any) -> None:
        """Keep the tokenizer to read what is written, and the tokens that end a text."""
        self._tokenizer = tokenizer
        self.stops = (end_of_text(tokenizer), *self.more_stops(tokenizer))

    def more_stops(self, tokenizer: Any) -> tuple[int, ...]:
        """Tokens that end what is written besides the end of a text: none, unless a task writes a single line."""
        del tokenizer
        return ()

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Whole documents as token ids, with the prompt around every window and the target apart."""
        return [self._encode(document, tokenizer) for document in documents]

    def _encode(self, document: Document, tokenizer: Any) -> Encoded:
        text = encode_text(tokenizer, self.source(document), document.fields.get("language", ""))
        before, after = self._around(document, tokenizer)
        rendered = self.anchors(document, text.starts)
        pieces = []
        for left, (piece, at) in zip(["x", *(piece for piece, _ in rendered)], rendered, strict=False):
            blank = " " if needs_blank(left, piece) else ""  # running text has none between Chinese sentences
            pieces.append((ids_of(tokenizer, blank + piece), at))
        end = [end_of_text(tokenizer)]
        if pieces:
            pieces.append((end, self.anchor))
        target = [token for ids, _ in pieces for token in ids]
        evidence = self.evidence(document, text)
        query, terms = query_of(tokenizer, self.ask(document))
        return Encoded(
            text.input_ids,
            text.word_ids,
            np.full(len(text.input_ids), NO_LABEL, np.int64),
            before,
            after,
            query,
            marks=text.marks,
            starts=text.starts,
            ends=text.ends,
            terms=text.terms,
            query_terms=terms,
            target=np.asarray(target, np.int64),
            anchors=np.asarray([at for ids, at in pieces for _ in ids], np.int64),
            evidence=evidence,
            absent=np.asarray([*ids_of(tokenizer, f" {self.absent()}"), *end] if len(evidence) else [], np.int64),
            room=self.decoding.max_new_tokens if self.kind == "decoder" else 0,
        )

    def _around(self, document: Document, tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Token ids before and behind every window."""
        first, end = frame(tokenizer)
        ask, prompt = self.ask(document), self.prompt
        if self.kind != "decoder":
            front = " ".join(part for part in (prompt.instruction, ask) if part)
            return (*first, *(ids_of(tokenizer, front) if front else ())), end
        words = prompt.example_words
        shown = [self._shown(self.excerpt(e, words), e, self.solution(e, words)) for e in self.examples(document)]
        front = "".join(f"{part}\n\n" for part in (prompt.instruction, *shown) if part)
        behind = self._shown("", document, "")
        return (*first, *(ids_of(tokenizer, front) if front else ())), tuple(ids_of(tokenizer, behind))

    def _shown(self, source: str, document: Document, target: str) -> str:
        ask = self.ask(document)
        return "\n".join([source, *([ask] if ask else []), f"{self.cue(document)} {target}".rstrip()])

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Cross entropy summed over target tokens; outputs (B, W, V), labels (B, W)."""
        return vocabulary.cross_entropy(outputs, labels)

    def observe(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(B, W, 2) of outputs (B, W, V): see ``vocabulary.observe``."""
        return vocabulary.observe(outputs, labels)

    def text_of(self, written: Written) -> str:
        """What a window gave, as text: without an unfinished last character, or blanks between single characters."""
        text = str(self._tokenizer.decode(written.token_ids.tolist(), skip_special_tokens=True)).strip()
        text = whole(text).strip()
        return without_invented_blanks(text) if invents_blanks(self._tokenizer) else text

    def combined(self, texts: Sequence[str], scores: Sequence[float]) -> str:
        """One text of those of the windows."""
        return self._combine(texts, scores)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """The ``WrittenText`` of all windows; empty where nothing was read."""
        texts, scores = [self.text_of(w) for w in merged.written], [w.score for w in merged.written]
        answer = WrittenText(
            self.combined(texts, scores),
            tuple(texts),
            tuple(scores),
            merged.target_nll,
            merged.num_asked,
            merged.seen,
            encoded.starts,
            evidence_of(document, encoded, merged),
        )
        return Prediction(document.id, answer, self.seen_parts(document, encoded, merged))

    def seen_parts(self, document: Document, encoded: Encoded, merged: Merged) -> list[bool]:
        """Which parts of the answer were there to be written: all of it, where anything was read."""
        del document, encoded
        return [bool(merged.seen.any())]

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """The text, and the share of the document that was read."""
        answer: WrittenText = prediction.answer
        return {"id": document.id, "text": answer.text, "share_read": round(float(answer.seen.mean()), 4)}
