"""What there is to explain about an answer, in the forms that several tasks share."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from ctxlab.core.explanation import Answered, Asked, Target
from ctxlab.core.types import Document, Encoded, IntArray
from ctxlab.tasks.forms.confidence import label_score, log_odds
from ctxlab.tasks.records.bio import Span
from ctxlab.tasks.records.evidence import evidence_tokens

UNREAD = "Nothing of the document was read."


def labels_of(text: str, answered: Answered, names: Sequence[str], targets: Sequence[Target]) -> Asked:
    """Return the labels of a whole document.

    Args:
        text: Text of the document.
        answered: Its answer.
        names: Its labels; none where it has none.
        targets: One for each.
    """
    nothing = "" if names else "No label was given." if answered.merged.seen.any() else UNREAD
    return Asked(text, None, targets, nothing)


def label_target(
    answered: Answered, name: str, index: int, rule: str, *, several: bool, evidence: Sequence[IntArray] = (),
    distance: int | None = None,
) -> Target:  # fmt: skip
    """Return the target of a label of a whole document, the log odds of the label.

    Args:
        answered: The document and its answer.
        name: The label.
        index: Its output.
        rule: How predictions of windows are combined.
        several: Whether labels are independent.
        evidence: Tokens of each known piece of evidence.
        distance: Words between two pieces of evidence, where that is known.
    """
    read = np.flatnonzero(answered.merged.seen)
    score = partial(label_score, index=index, rule=rule, several=several)
    return Target(f"label {name}", read, score, evidence=evidence, distance=distance)


def evidence_in(document: Document, encoded: Encoded) -> tuple[list[IntArray], int | None]:
    """Return the tokens of each known piece of evidence in a text, and the distance between them."""
    fields = document.fields
    pieces = [piece for piece in fields.get("probes", ()) if "end" in piece]
    spans = [(piece["start"], piece["end"]) for piece in pieces] + [tuple(span) for span in fields.get("spans", ())]
    distances = [piece["distance"] for piece in pieces if piece["distance"]]
    return [evidence_tokens(encoded, *span) for span in spans], max(distances, default=None)


def entity_target(
    document: Document, encoded: Encoded, span: Span, tags: Sequence[str], labels: Sequence[str]
) -> Target:
    """Return the target of an entity: the mean log odds of its words' tags.

    Args:
        document: The document.
        encoded: Its tokens.
        span: The predicted entity.
        tags: Tag of each word.
        labels: The model's outputs.
    """
    words = range(span.start, span.end)
    first = np.searchsorted(encoded.word_ids, np.asarray(words))
    wanted = [labels.index(tags[word]) for word in words]
    evidence, distance = _defining(document, encoded, span)
    name = " ".join(document.fields["tokens"][span.start : span.end])
    marked = np.flatnonzero((encoded.word_ids >= span.start) & (encoded.word_ids < span.end))
    return Target(
        f"{span.type}: {name} (word {span.start})",
        first,
        partial(_mean_log_odds, wanted=wanted),
        marked=marked,
        evidence=evidence,
        distance=distance,
    )


def _mean_log_odds(logits: torch.Tensor, wanted: Sequence[int]) -> torch.Tensor:
    return torch.stack([log_odds(row, index) for row, index in zip(logits, wanted, strict=True)]).mean()


def _defining(document: Document, encoded: Encoded, span: Span) -> tuple[list[IntArray], int | None]:
    """Return the sentence that determines the type of an ambiguous mention, and its distance in words.

    It is the sentence at the distance of the record's probe that has the same name.
    """
    fields = document.fields
    probe = next((one for one in fields.get("probes", ()) if span.start <= one["start"] < span.end), None)
    if probe is None:
        return [], None
    words, starts = fields["tokens"], [*fields.get("sentence_starts", ()), len(fields["tokens"])]
    for place in (probe["start"] - probe["distance"], probe["start"] + probe["distance"]):
        if 0 <= place < len(words) and words[place] == words[probe["start"]] and starts[0] <= place:
            after = int(np.searchsorted(starts, place, side="right"))
            inside = (encoded.word_ids >= starts[after - 1]) & (encoded.word_ids < starts[after])
            return [np.flatnonzero(inside)], int(probe["distance"])
    return [], int(probe["distance"])


def span_target(encoded: Encoded, text: str, start: int, end: int, evidence: Sequence[Mapping[str, Any]]) -> Target:
    """Return the target of an extracted answer: the sum of the scores of its start and of its end.

    Args:
        encoded: Tokens of the context.
        text: The answer.
        start: Its first character.
        end: The one after its last.
        evidence: Gold answers with ``start`` and ``end``, where they are known.
    """
    tokens = evidence_tokens(encoded, start, end)
    gold = [evidence_tokens(encoded, one["start"], one["end"]) for one in evidence]
    return Target(f"answer {text}", tokens[[0, -1]], _start_and_end, marked=tokens, evidence=gold)


def _start_and_end(scores: torch.Tensor) -> torch.Tensor:
    return scores[0, 0].double() + scores[1, 1].double()


def marked_target(answered: Answered, evidence: Sequence[IntArray]) -> Target:
    """Return the target of an answer that is marked in the text: the score of its best token."""
    seen = np.flatnonzero(answered.merged.seen)
    best = seen[answered.merged.outputs[seen, 0].argmax()]
    name = f"answer {answered.prediction.answer.text}"
    return Target(name, np.array([best]), _only, marked=np.array([best]), evidence=evidence)


def _only(scores: torch.Tensor) -> torch.Tensor:
    return scores[0, 0].double()


def next_token(text: str, answered: Answered) -> Asked:
    """Return the token that most probably follows the whole document, its log odds."""
    if not len(answered.encoded) or not answered.merged.seen[-1]:
        return Asked(text, None, [], "The end of the document was not read, so that no next token is predicted.")
    last = np.array([len(answered.encoded) - 1])
    index = int(answered.outputs(last)[0].argmax())
    return Asked(text, None, [Target(f"next token {answered.spell(index)!r}", last, partial(_next, index=index))])


def _next(logits: torch.Tensor, index: int) -> torch.Tensor:
    return log_odds(logits[0], index)
