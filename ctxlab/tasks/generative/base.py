"""Shared base of tasks whose answer is generated text: prompts, few-shot examples, targets, and combining windows.

A decoder reads ``<instruction> <examples> <window> <question> <cue>`` and continues; an encoder-decoder reads
``<instruction> <question> <window>`` and generates with its decoder. A rule of ``RULES`` combines the texts of a
document's windows into one.

Shape legend: L tokens of a document, T tokens of a target, B windows of a batch, W tokens of a window, V tokens of the
vocabulary.
"""

import math
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.task import TOKENS, Loss, Predicted
from ctxlab.core.types import (
    ADDED,
    LAST,
    NO_LABEL,
    BoolArray,
    Document,
    Encoded,
    GeneratedTokens,
    IntArray,
    Merged,
    Prediction,
)
from ctxlab.tasks.forms import vocabulary
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.tasks.generative.decoding import checked_decoding
from ctxlab.tasks.generative.prompts import Prompt, end_of_text, ids_of
from ctxlab.tasks.records.evidence import evidence_of
from ctxlab.tasks.text.encoding import Pieces, encode_text, invents_blanks, query_of
from ctxlab.tasks.text.subwords import frame, without_prefix
from ctxlab.text.clusters import whole
from ctxlab.text.known import known_characters, unknown_id
from ctxlab.text.units import first_words, needs_blank, without_invented_blanks

HEADS = {"decoder": "causal_lm", "encoder_decoder": "seq2seq_lm"}
"""Model head by kind of model."""


def join(texts: Sequence[str], scores: Sequence[float]) -> str:
    """Join all texts in document order, one per line."""
    del scores
    return "\n".join(text for text in texts if text)


def best(texts: Sequence[str], scores: Sequence[float]) -> str:
    """Return the non-empty text with the highest mean log probability, the first of equals."""
    ranked = [(score, -i) for i, (text, score) in enumerate(zip(texts, scores, strict=True)) if text]
    return texts[-max(ranked)[1]] if ranked else ""


def last(texts: Sequence[str], scores: Sequence[float]) -> str:
    """Return the text of the last window: for tasks that continue the document."""
    del scores
    return texts[-1] if texts else ""


RULES: dict[str, Callable[[Sequence[str], Sequence[float]], str]] = {"join": join, "best": best, "last": last}
"""Values of ``task.combine``."""


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedText:
    """The generated text for one document."""

    text: str
    pieces: tuple[str, ...]
    """The text generated after each window."""
    scores: tuple[float, ...]
    """Mean log probability (nats) of each piece."""
    target_nll: float
    """Negative log likelihood of the gold target (nats); 0 where it was not computed."""
    num_asked: int
    """Number of target tokens in that sum."""
    seen: BoolArray
    """(L,) which tokens of the document were read."""
    starts: IntArray
    """(L,) first character of each token."""
    evidence: tuple[tuple[float, bool], ...]
    """For each known piece of evidence its position in the document (0 to 1) and whether all of it was read."""

    @property
    def is_read(self) -> bool:
        """Whether anything was read."""
        return bool(self.seen.any())


class GenerativeTask(BaseTask, ABC):
    """Base of tasks that generate a text per document; a task adds its records, source, question and target.

    Deviations from usual practice: a prompt is plain text, without the chat template of an instruction-tuned model, so
    that every decoder reads the same; every window has the prompt; and the document of a few-shot example is truncated
    to ``example_words`` words, as whole ones would fill the context.
    """

    name: str
    kinds = frozenset({"decoder", "encoder_decoder"})
    generates = True
    predicts = TOKENS

    def __init__(self, decoding: Mapping[str, Any] | None, prompt: Prompt, combine: str) -> None:
        """Store the settings of generation, the prompt around windows, and the name of the combination rule.

        Raises:
            UserError: A value is out of range or not known.
        """
        super().__init__()
        if combine not in RULES:
            raise UserError(f"task.combine={combine} is not one of {', '.join(RULES)}.")
        if prompt.shots < 0:
            raise UserError(f"task.shots={prompt.shots} is negative: give the number of solved examples, or 0.")
        if prompt.example_words < 1:
            raise UserError(f"task.example_words={prompt.example_words} is too small: give at least 1.")
        self.decoding, self.prompt = checked_decoding(decoding or {}), prompt
        self._combine = RULES[combine]
        self.num_examples = prompt.shots
        self._pool: Sequence[Document] = ()
        self._seed = 0
        self._tokenizer: Any = None
        self._unknown_id: int | None = None

    @abstractmethod
    def source(self, document: Document) -> str:
        """Return the text that is split into windows."""

    @abstractmethod
    def target(self, document: Document) -> str | None:
        """Return the gold text, None where it is not known."""

    def ask(self, document: Document) -> str:
        """Return the question about the document, which decoders read after every window; empty by default."""
        del document
        return ""

    def cue(self, document: Document) -> str:
        """Return the text after which a decoder starts to generate; by default the same for all documents."""
        del document
        return self.prompt.cue

    def anchors(self, document: Document, starts: IntArray) -> list[tuple[str, int]]:
        """Return pieces of the target, each with its document token; by default one piece about the whole document.

        ``starts`` (L,) are the first characters of the document's tokens. Joined with blanks the pieces are the target.
        """
        del starts
        target = self.target(document)
        return [] if target is None else [(target, self.anchor)]

    @property
    def anchor(self) -> int:
        """Return the anchor of a target that refers to the whole document: after the last window, or after every
        window."""
        return LAST if self._combine is last else ADDED

    def evidence(self, document: Document, text: Pieces) -> IntArray:
        """Return the document tokens that determine the target; empty by default."""
        del document, text
        return np.zeros(0, np.int64)

    def absent(self) -> str:
        """Return the target of a window without the evidence; empty by default."""
        return ""

    def group(self, document: Document) -> str:
        """Return the id of the record that the document is a part of."""
        return str(document.fields.get("group", document.id))

    def excerpt(self, document: Document, num_words: int) -> str:
        """Return the part of a few-shot example's document that the prompt shows; by default its beginning."""
        return first_words(self.source(document), num_words)

    def solution(self, document: Document, num_words: int) -> str:
        """Return the answer that the prompt shows for that part; by default the whole target."""
        del num_words
        return str(self.target(document))

    def for_kind(self, kind: str) -> Any:
        """Choose the head for that kind of model; encoders, which cannot generate, are refused later by ``kinds``.

        Raises:
            UserError: Few-shot examples for an encoder-decoder.
        """
        if kind == "encoder_decoder" and self.prompt.shots:
            raise UserError(
                f"task.shots={self.prompt.shots} does not work with a model of kind {kind}, which learns a task by "
                "training and reads no solved examples: use task.shots=0, or a decoder such as model=smollm2."
            )
        self.head = HEADS.get(kind, HEADS["decoder"])
        self.kind = kind
        return self

    def take_examples(self, documents: Sequence[Document], seed: int) -> None:
        """Keep the documents that have a target as few-shot examples."""
        self._pool = [document for document in documents if self.target(document)]
        self._seed = seed
        if len(self._pool) < self.num_examples:
            raise self._too_few(len(self._pool), "")

    def examples(self, document: Document) -> list[Document]:
        """Draw ``shots`` training documents by the seed and the document's id.

        The document, other parts of its record and documents with the same text are never drawn.

        Raises:
            UserError: There are too few others.
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
            f"use task.shots={count}, or add training documents."
        )

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Return the content of prompts, examples included."""
        prompt = [getattr(self.prompt, field.name) for field in fields(self.prompt)]
        shown = [(d.id, self.source(d), self.ask(d), self.target(d)) for d in self._pool if self.num_examples]
        drawn = [self._seed, zlib.crc32(repr(shown).encode())] if shown else []
        return (self.kind, prompt, self.decoding.max_new_tokens, *drawn)

    def prepare(self, tokenizer: Any) -> None:
        """Keep the tokenizer to decode generated tokens, its unknown token, and the tokens that end a text."""
        self._tokenizer, self._unknown_id = tokenizer, unknown_id(tokenizer)
        self.stops = (end_of_text(tokenizer), *self.more_stops(tokenizer))

    def more_stops(self, tokenizer: Any) -> tuple[int, ...]:
        """Return tokens besides the end of text that end generation; empty by default."""
        del tokenizer
        return ()

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole documents as token ids, with the prompt around every window and the target separately."""
        return [self._encode(document, tokenizer) for document in documents]

    def _encode(self, document: Document, tokenizer: Any) -> Encoded:
        text = encode_text(tokenizer, self.source(document), document.fields.get("language", ""))
        text = text.begun(document.fields.get("text_starts", ()))
        before, after = self._around(document, tokenizer)
        rendered = self.anchors(document, text.starts)
        pieces = []
        for left, (piece, at) in zip(["x", *(piece for piece, _ in rendered)], rendered, strict=False):
            blank = " " if needs_blank(left, piece) else ""  # there is none between Chinese sentences
            pieces.append((ids_of(tokenizer if blank else without_prefix(tokenizer), blank + piece), at))
        end = [end_of_text(tokenizer)]
        if pieces:
            pieces.append((end, self.anchor))
        target = [token for ids, _ in pieces for token in ids]
        evidence = self.evidence(document, text)
        query, terms = query_of(tokenizer, self.ask(document))
        return text.encoded(
            text.labelled(NO_LABEL),
            before=before,
            after=after,
            query=query,
            query_terms=terms,
            target=np.asarray(target, np.int64),
            anchors=np.asarray([at for ids, at in pieces for _ in ids], np.int64),
            evidence=evidence,
            absent=np.asarray([*ids_of(tokenizer, f" {self.absent()}"), *end] if len(evidence) else [], np.int64),
            room=self.decoding.max_new_tokens if self.kind == "decoder" else 0,
        )

    def _around(self, document: Document, tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the token ids before and after every window."""
        first, end = frame(tokenizer)
        ask, prompt = self.ask(document), self.prompt
        if self.kind != "decoder":
            front = " ".join(part for part in (prompt.instruction, ask) if part)
            return (*first, *(ids_of(tokenizer, front) if front else ())), end
        words = prompt.example_words
        shown = [self._shown(self.excerpt(e, words), e, self.solution(e, words)) for e in self.examples(document)]
        front = "".join(f"{part}\n\n" for part in (prompt.instruction, *shown) if part)
        after = self._shown("", document, "")
        return (*first, *(ids_of(tokenizer, front) if front else ())), tuple(ids_of(tokenizer, after))

    def _shown(self, source: str, document: Document, target: str) -> str:
        ask = self.ask(document)
        return "\n".join([source, *([ask] if ask else []), f"{self.cue(document)} {target}".rstrip()])

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the cross entropy summed over target tokens; outputs (B, W, V), labels (B, W)."""
        return vocabulary.cross_entropy(outputs, labels)

    def predicted(self, outputs: torch.Tensor, labels: torch.Tensor) -> Predicted:
        """Return the distribution of each target token; outputs (B, W, V), labels (B, W)."""
        return vocabulary.predicted(outputs, labels)

    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Reduce outputs (B, W, V) to (B, W, 2); see ``vocabulary.reduce_outputs``.

        An unknown token costs nothing here: ``_cost`` charges its characters.
        """
        reduced = vocabulary.reduce_outputs(outputs, labels)
        if self._unknown_id is not None:
            reduced[..., 0].masked_fill_(labels == self._unknown_id, 0.0)
        return reduced

    def text_of(self, written: GeneratedTokens) -> str:
        """Decode the tokens of a window, without an incomplete last character or blanks between single characters."""
        text = str(self._tokenizer.decode(written.token_ids.tolist(), skip_special_tokens=True)).strip()
        text = whole(text).strip()
        return without_invented_blanks(text) if invents_blanks(self._tokenizer) else text

    def combined(self, texts: Sequence[str], scores: Sequence[float]) -> str:
        """Combine the texts of the windows into one."""
        return self._combine(texts, scores)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``GeneratedText`` of all windows; empty where nothing was read."""
        texts, scores = [self.text_of(w) for w in merged.generated], [w.score for w in merged.generated]
        nll, num_asked = self._cost(document, encoded, merged)
        answer = GeneratedText(
            self.combined(texts, scores),
            tuple(texts),
            scores=tuple(scores),
            target_nll=nll,
            num_asked=num_asked,
            seen=merged.seen,
            starts=encoded.starts,
            evidence=evidence_of(document, encoded, merged),
        )
        return Prediction(document.id, answer, self.seen_parts(document, encoded, merged))

    def _cost(self, document: Document, encoded: Encoded, merged: Merged) -> tuple[float, int]:
        """Return the nats and the number of target tokens; nothing where they were not asked for.

        As in language modelling, every token of a document of which nothing was read, and every character that is
        covered by an unknown token, costs log V, so that neither looks like a perfect prediction.
        """
        num_tokens = len(encoded.target)
        if num_tokens and not merged.seen.any():
            return num_tokens * math.log(len(self._tokenizer)), num_tokens
        if self._unknown_id is None or self._unknown_id not in encoded.target:
            return merged.target_nll, merged.num_asked
        uniform = math.log(len(self._tokenizer))
        texts = (piece for piece, _ in self.anchors(document, encoded.starts))
        lost = sum(_unknown_characters(self._tokenizer, text, self._unknown_id) for text in texts)
        return merged.target_nll + uniform * lost * merged.num_asked / num_tokens, merged.num_asked

    def seen_parts(self, document: Document, encoded: Encoded, merged: Merged) -> list[bool]:
        """Return which parts of the answer could be known: by default all of it, where anything was read."""
        del document, encoded
        return [bool(merged.seen.any())]

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the text, and the fraction of the document that was read."""
        answer: GeneratedText = prediction.answer
        return {"id": document.id, "text": answer.text, "share_read": round(float(answer.seen.mean()), 4)}


def _unknown_characters(tokenizer: Any, text: str, unknown: int) -> int:
    """Return the number of characters of ``text`` that the tokenizer does not know."""
    pieces = encode_text(tokenizer, text)
    return known_characters(pieces.input_ids, pieces.starts, pieces.ends, unknown).unknown
