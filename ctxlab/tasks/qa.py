"""Extractive question answering: the span of a long context that answers a question, or none.

Shape legend: L tokens of a context, W tokens of a window, B windows of a batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Answered, Asked
from ctxlab.core.shape import LabelledSpan
from ctxlab.core.task import POSITIONS, Loss, Predicted
from ctxlab.core.task_hooks import Original
from ctxlab.core.types import NO_LABEL, Document, Encoded, FloatArray, IntArray, Merged, Prediction
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.tasks.forms.explained import UNREAD, span_target
from ctxlab.tasks.forms.marking import NOWHERE
from ctxlab.tasks.generative.prompts import Prompt
from ctxlab.tasks.generative.qa import GenerativeQA
from ctxlab.tasks.records.questions import (
    PER_TOKEN,
    SHAPE,
    Answer,
    QuestionReader,
    answer_spans,
    answer_tokens,
    checked_f1,
    drawn_stretch,
    one_a_question,
)
from ctxlab.tasks.text.encoding import Pieces, encode_text, query_of
from ctxlab.tasks.text.pairs import pair_frame
from ctxlab.tasks.text.subwords import frame
from ctxlab.text.clusters import snap
from ctxlab.text.language import checked

STARTS, ENDS = 1, 2
"""Bit flags in the label of a context token: the answer starts with it, or ends with it."""


class QA(BaseTask):
    """Predicts start and end scores for every token, and for [CLS] as "no answer" (SQuAD 2's convention).

    Source: Devlin et al. 2019 (arXiv:1810.04805), sections 4.2 and 4.3. Deviations, all for contexts of many windows:

    - The question precedes every window, without segment ids of its own.
    - Start and end are trained separately: a window that contains only one of them has [CLS] as the target of the
      other, where the usual script treats the window as unanswerable. So an answer across two windows can be found.
    - Every score is taken relative to the [CLS] score of its own window, so that scores of several windows are
      comparable and "no answer" scores 0. The best span over all windows is the answer if its start and end scores sum
      to more than ``no_answer_threshold``. A span has at most ``max_answer_tokens`` tokens, all of them seen: it does
      not bridge a gap that a strategy left, nor two of several texts.
    """

    name = "qa"
    explains = True
    record_fields = (
        ("context", "questions"),
        ("context", "question"),
        ("context", "qas"),
        ("contexts", "questions"),
        ("contexts", "question"),
        ("paragraphs",),
    )
    head = "token_classification"
    predicts = POSITIONS
    kinds = frozenset({"encoder"})
    metric = "answers"
    primary_metric = "f1"
    shape = SHAPE

    def __init__(
        self,
        context_field: str = "context",
        max_answer_tokens: int = 64,
        no_answer_threshold: float = 0.0,
        no_answer_weight: float = 1.0,
        stretch_tokens: int | None = None,
        no_answer_share: float = 0.2,
        instruction: str = "",
        cue: str = "Answer:",
        no_answer: str = "unanswerable",
        shots: int = 0,
        example_words: int = 60,
        decoding: Mapping[str, Any] | None = None,
        language: str | None = None,
        f1: str = "words",
    ) -> None:
        """Check and store the options.

        Args:
            context_field: Field of a record with the text.
            max_answer_tokens: Longest extracted answer, at least 1.
            no_answer_threshold: Score above which the best span is the answer; higher values answer less often.
            no_answer_weight: Weight in the loss of windows without the answer, 0 or more.
            stretch_tokens: Tokens of a context that an epoch trains on, at least 1; None trains on all.
            no_answer_share: Fraction of these stretches drawn from anywhere in the context, 0 to 1.
            instruction: Of a prompt: text before every window; ``{no_answer}`` is replaced by that phrase.
            cue: Of a prompt: text after which the answer begins.
            no_answer: Phrase that a generative model answers with for "no answer".
            shots: Solved training documents before every window of a decoder, 0 or more, drawn by seed.
            example_words: Words shown of each solved document, around the answer, at least 1.
            decoding: Settings of generation, the keys of ``conf/task/decoding``; None for greedy search.
            language: Two-letter code for language-specific rules; None guesses from the script.
            f1: Overlap of answers: ``words`` (SQuAD) or ``run`` (longest common run of words, CMRC 2018).
        """
        if max_answer_tokens < 1:
            raise UserError(f"task.max_answer_tokens={max_answer_tokens} is too small: give at least 1.")
        if no_answer_weight < 0:
            raise UserError(f"task.no_answer_weight={no_answer_weight} is negative: give 0 or more.")
        if stretch_tokens is not None and stretch_tokens < 1:
            raise UserError(f"task.stretch_tokens={stretch_tokens} is too small: give at least 1, or null for all.")
        if not 0 <= no_answer_share <= 1:
            raise UserError(f"task.no_answer_share={no_answer_share} is not a fraction: give a number from 0 to 1.")
        super().__init__(["start", "end"])
        self.language, self._f1 = checked(language), checked_f1(f1)
        self._stretch_tokens, self._no_answer_share = stretch_tokens, no_answer_share
        self._context_field, self._max_answer_tokens = context_field, max_answer_tokens
        self._threshold, self._no_answer_weight = no_answer_threshold, no_answer_weight
        self._reader = QuestionReader(context_field, self.notes)
        self._prompt, self._no_answer, self._decoding = (
            Prompt(instruction, cue, shots, example_words),
            no_answer,
            decoding,
        )

    def for_kind(self, kind: str) -> Any:
        """Return the task itself for encoders, which extract the answer; other models generate it.

        Raises:
            UserError: Few-shot examples for an encoder.
        """
        if kind == "encoder":
            if self._prompt.shots:
                raise UserError(
                    f"task.shots={self._prompt.shots} does not work with a model of kind encoder, which reads no "
                    "solved examples: use task.shots=0 and train it, or a decoder such as model=smollm2."
                )
            return self
        stretch = self._stretch_tokens, self._no_answer_share
        generative = GenerativeQA(
            self._decoding, self._prompt, self._no_answer, self._context_field, *stretch, f1=self._f1
        )
        return generative.for_kind(kind)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check a context and all questions about it; answers at a wrong position are moved where it is unambiguous."""
        return self._reader.read(record, origin, gold=gold)

    def labelled_spans(self, document: Document) -> list[LabelledSpan]:
        """Return the gold answers."""
        return answer_spans(document)

    def expand(self, document: Document) -> list[Document]:
        """Return one document per question; ``group`` is the record's id."""
        return one_a_question(document, self._f1)

    def prepare(self, tokenizer: Any) -> None:
        """Raise UserError where the tokenizer has no token before a text, which "no answer" needs."""
        if not frame(tokenizer)[0]:
            raise UserError(
                f"{type(tokenizer).__name__} puts no token such as [CLS] before a text, which task=qa needs for "
                '"no answer": choose an encoder that has one.'
            )

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole contexts as token ids, each with its question before every window."""
        around = pair_frame(tokenizer)
        encoded: list[Encoded] = []
        text, pieces = "", None
        for document in documents:
            if pieces is None or document.fields["context"] != text:  # questions about one text are adjacent
                text = document.fields["context"]
                pieces = encode_text(tokenizer, text, document.fields.get("language", ""))
            query, terms = query_of(tokenizer, document.fields["question"])
            encoded.append(
                pieces.encoded(
                    _labels(pieces, document.fields["answers"]),
                    before=(*around.before, *query, *around.between),
                    after=around.after,
                    query=query,
                    query_terms=terms,
                )
            )
        return encoded

    def resample(self, encoded: Encoded, seed: int) -> Encoded:
        """Return a stretch of the context if ``stretch_tokens`` is set; see ``drawn_stretch``."""
        answer = np.flatnonzero(encoded.labels)
        ends = (int(answer[0]), int(answer[-1])) if len(answer) else None
        part = drawn_stretch(
            len(encoded), ends, length=self._stretch_tokens, no_answer_share=self._no_answer_share, seed=seed
        )
        if part is None:
            return encoded
        return replace(encoded, **{name: getattr(encoded, name)[part] for name in PER_TOKEN})

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the mean cross entropy of start and end over positions, summed over windows, in fp32.

        Outputs (B, W, 2), labels (B, W). Positions are the context's tokens and the window's first token.
        """
        allowed, targets, weights = self._targets(labels)
        scores = outputs.float().masked_fill(~allowed[..., None], -torch.inf)
        each = F.cross_entropy(scores, targets, reduction="none")  # (B, 2)
        return Loss((each * weights).sum() / 2, weights.sum() / 2)

    def predicted(self, outputs: torch.Tensor, labels: torch.Tensor) -> Predicted:
        """Return the distributions over positions of each window's start and end, in fp32; outputs (B, W, 2)."""
        allowed, targets, weights = self._targets(labels)
        scores = outputs.float().masked_fill(~allowed[..., None], NOWHERE)
        return Predicted(scores.transpose(1, 2).flatten(0, 1), targets.flatten(), weights.flatten() / 2)

    def _targets(self, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the positions (B, W) of labels (B, W), and for start and end (B, 2) the right one and its weight."""
        allowed = labels != NO_LABEL
        hits = torch.stack([allowed & (labels & bit > 0) for bit in (STARTS, ENDS)], dim=-1)  # (B, W, 2)
        allowed[:, 0] = True
        targets = hits.int().argmax(dim=1)  # (B, 2); 0, the first token, where there is none
        return allowed, targets, torch.where(hits.any(dim=1), 1.0, self._no_answer_weight)

    def has_loss(self, labels: IntArray) -> bool:
        """Whether the window has a context token or, where unanswerable windows have weight 0, a start or an end."""
        return bool((labels > 0).any()) if self._no_answer_weight == 0 else super().has_loss(labels)

    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return start and end scores relative to those of the window's first token (B, W, 2)."""
        del labels
        return outputs.float() - outputs[:, :1].float()

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the best span, or none; ``seen`` is for each gold answer whether all of it was seen."""
        context, answers = document.fields["context"], document.fields["answers"]
        spans = [answer_tokens(encoded, answer["start"], answer["end"]) for answer in answers]
        seen = [bool(merged.seen[first : last + 1].all()) for first, last in spans]
        evidence = spans[0][0] if spans else None
        best = _best(merged.outputs, self._runs(document, encoded, merged), self._max_answer_tokens)
        if best is None or best[2] <= self._threshold:
            score = None if best is None else best[2]
            return Prediction(
                document.id, Answer("", None, end=None, score=score, num_tokens=len(encoded), evidence=evidence), seen
            )
        first, last, score = best
        start, end = int(encoded.starts[first]), int(encoded.ends[last])
        start += len(context[start:end]) - len(context[start:end].lstrip())  # some tokens begin with a blank
        end = start + len(context[start:end].rstrip())
        if end > start:  # an uncased tokenizer drops combining marks of the last letter
            start, end = snap(context, start, end)
        return Prediction(
            document.id,
            Answer(context[start:end], start, end=end, score=score, num_tokens=len(encoded), evidence=evidence),
            seen,
        )

    def _runs(self, document: Document, encoded: Encoded, merged: Merged) -> IntArray:
        """Return (L,) run of each token, -1 for unseen tokens; a span must be within one run."""
        texts = np.searchsorted(document.fields["text_starts"], encoded.ends - 1, side="right")
        breaks = ~merged.seen | (np.diff(texts, prepend=0) > 0)
        return np.where(merged.seen, np.cumsum(breaks), -1)

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the answer, empty for none, with offsets; in ``contexts[context]`` where there are several texts."""
        answer: Answer = prediction.answer
        line = {"id": document.id, "question": document.fields["question"], "answer": answer.text}
        starts, place = document.fields["text_starts"], {"start": answer.start, "end": answer.end}
        if len(starts) > 1:
            text = None if answer.start is None else int(np.searchsorted(starts, answer.start, side="right")) - 1
            place = {"context": text, **place}
        if answer.start is not None:
            place |= self._in_text(document, answer)
        return {**line, **place, "score": answer.score}

    def _in_text(self, document: Document, answer: Answer) -> dict[str, Any]:
        """Return the place of an answer in its text, or in the title of it."""
        assert answer.start is not None
        assert answer.end is not None
        starts = document.fields["text_starts"]
        text = int(np.searchsorted(starts, answer.start, side="right")) - 1
        body = document.fields.get("text_bodies", starts)[text]
        titled = answer.start < body
        offset = starts[text] if titled else body
        return {"start": answer.start - offset, "end": answer.end - offset, **({"in_title": True} if titled else {})}

    def explained(self, document: Document, answered: Answered) -> Asked:
        """Return the extracted answer, if there is one."""
        text, answer = document.fields["context"], answered.prediction.answer
        if answer.start is None:
            seen = answered.merged.seen.any()
            return Asked(text, None, [], "No answer was found, and none has no place to explain." if seen else UNREAD)
        gold = document.fields["answers"]
        target = span_target(answered.encoded, answer.text, start=answer.start, end=answer.end, evidence=gold)
        return Asked(text, None, [target])

    def relocated(self, line: dict[str, Any], document: Document, original: Original) -> dict[str, Any]:
        """Return a line whose answer is at its characters of the original context."""
        if line["start"] is None:
            return line
        del document
        place = line["start"], line["end"]
        text = f"contexts[{line.get('context', 0)}]"
        found = original(text, *place)
        if found == place:
            found = original(f"{text}.{'title' if line.get('in_title') else 'text'}", *place)
        if found == place and "context" not in line:
            found = original(self._context_field, *place)
        return {**line, "start": found[0], "end": found[1]}


def _labels(pieces: Pieces, answers: Sequence[Mapping[str, Any]]) -> IntArray:
    """Return (L,) start and end of the first answer only: the others are alternatives, and a window has one target."""
    labels = np.zeros(len(pieces.input_ids), dtype=np.int64)
    for answer in answers[:1]:
        first, last = answer_tokens(pieces, answer["start"], answer["end"])
        labels[first] += STARTS
        labels[last] += ENDS
    return labels


def _best(scores: FloatArray, runs: IntArray, longest: int) -> tuple[int, int, float] | None:
    """Return first token, last token and score of the best span within one run; of equals the shortest, then first."""
    best = None
    for more in range(min(longest, len(runs))):
        head = slice(0, len(runs) - more)
        whole = (runs[head] == runs[more:]) & (runs[head] >= 0)
        if not whole.any():
            break  # then there is no longer one either
        sums = np.where(whole, scores[head, 0] + scores[more:, 1], -np.inf)
        first = int(sums.argmax())
        if best is None or sums[first] > best[2]:
            best = first, first + more, float(sums[first])
    return best
