"""Checks that windows cover the document and its gold, and that outputs are mapped back to their tokens."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from ctxlab.core.contract import option
from ctxlab.core.task import Task
from ctxlab.core.types import ADDED, NO_LABEL, BoolArray, Document, Encoded, FloatArray, Merged, Window
from ctxlab.evaluation.evaluator import metric, predict
from ctxlab.runtime.ranks import current
from ctxlab.runtime.reader import Reader
from ctxlab.verification.check import Check
from ctxlab.verification.subject import Subject

Reduce = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

NUM_RESTS = 16
"""Lengths modulo the step between windows that are tried, evenly spread."""

ROUNDING = 1e-5
"""Tolerance for merged outputs, whose means are rounded."""


def check_windows(subject: Subject, documents: Sequence[Encoded]) -> Check:
    """Check that windows contain the document's tokens, as many as declared, and that merging maps outputs back."""
    name, proves = "windows", "Windows contain the document's tokens, within the limit, and outputs map back to them."
    covers, part = subject.strategy.reading.covers, f"reading={option(subject.strategy.reading)}"
    seen = total = num_windows = 0
    for encoded in [*documents, *_every_remainder(subject)]:
        windows = subject.strategy.reading.windows(encoded, subject.length)
        fault = _fault(subject, encoded, windows)
        if fault:
            return Check(name, proves, False, f"{part}: {fault}.")
        seen += len(np.unique([t for window in windows for t in window.token_index if t != ADDED]))
        total, num_windows = total + len(encoded), num_windows + len(windows)
    share = seen / max(total, 1)
    count = len(documents) + len(_remainders(subject))
    detail = f"{seen:,} of {total:,} tokens of {count} documents are in {num_windows} windows ({share:.1%})"
    if covers and seen < total:
        return Check(
            name, proves, False, f"{part} declares to cover every token, but only {detail}.", deviation=1 - share
        )
    return Check(name, proves, True, f"{detail}{'' if covers else ', the rest counts as missed'}.", deviation=0.0)


def _every_remainder(subject: Subject) -> list[Encoded]:
    """Return documents of one token, of about a window, and of lengths with different remainders."""
    return [subject.document(length) for length in _remainders(subject)]


def _remainders(subject: Subject) -> list[int]:
    longest = subject.strategy.reading.longest(subject.length)
    starts = [
        int(window.token_index[window.token_index != ADDED][0])
        for window in subject.strategy.reading.windows(subject.document(3 * longest), subject.length)
    ]
    step = starts[1] - starts[0] if len(starts) > 1 else longest
    rests = {*range(0, step, max(step // NUM_RESTS, 1)), 1, 2, step - 2, step - 1}
    lengths = {1, 2, longest - 1, longest, longest + 1, *(longest + step + rest for rest in rests)}
    return sorted(length for length in lengths if length > 0)


def _fault(subject: Subject, encoded: Encoded, windows: Sequence[Window]) -> str:
    """Return what is wrong with the windows of a document; empty if nothing is."""
    reading, run = subject.strategy.reading, 0
    longest = reading.longest(subject.length)
    for w, window in enumerate(windows):
        run = len(window) if window.begins else run + len(window)
        real = window.token_index != ADDED
        if len(window) > longest or run > subject.length:
            return f"window {w} has {len(window):,} tokens ({run:,} with those that it continues), over {longest:,}"
        if (window.input_ids[real] != encoded.input_ids[window.token_index[real]]).any():
            return f"window {w} has tokens that the document does not have there"
    random = np.random.default_rng(subject.seed)
    # Besides its index, every token has a random value that differs between windows, as outputs do.
    given = [np.stack([w.token_index.astype(np.float32), random.random(len(w), np.float32)], -1) for w in windows]
    merged = reading.merge(windows, given, len(encoded))
    inside = np.zeros(len(encoded), np.bool_)
    for window in windows:
        inside[window.token_index[window.token_index != ADDED]] = True
    if (merged.seen != inside).any():
        return f"merging reports {int(merged.seen.sum()):,} tokens as seen, but {int(inside.sum()):,} are in windows"
    if not len(windows):
        return ""
    if (merged.outputs[:, 0] != np.arange(len(encoded)))[inside].any():
        return "merging maps outputs to other tokens than they came from"
    return _outside(windows, given, merged.outputs[:, 1], inside)


def _outside(windows: Sequence[Window], given: Sequence[FloatArray], merged: FloatArray, inside: BoolArray) -> str:
    """Return what is wrong with merged values, which must be between those of the windows of a token; empty if nothing.

    Args:
        windows: Windows of a document.
        given: (W, 2) values of each window that were merged; the second column is compared.
        merged: (L,) merged values.
        inside: (L,) bool: tokens that are in some window.
    """
    low, high = np.full(len(merged), np.inf), np.full(len(merged), -np.inf)
    for window, values in zip(windows, given, strict=True):
        real = window.token_index != ADDED
        np.minimum.at(low, window.token_index[real], values[real, 1])
        np.maximum.at(high, window.token_index[real], values[real, 1])
    wrong = np.flatnonzero(inside & ((merged < low - ROUNDING) | (merged > high + ROUNDING)))
    if not len(wrong):
        return ""
    token = int(wrong[0])
    expected = f"{low[token]:.3f} to {high[token]:.3f}"
    return f"windows have values {expected} for token {token}, but merging returns {merged[token]:.3f}"


def check_gold(
    subject: Subject, reader: Reader, task: Task, documents: Sequence[Document], encoded: Sequence[Encoded]
) -> list[Check]:
    """Check that no gold is dropped: each label is in some window and scored, or counts as missed.

    Args:
        subject: What is verified.
        reader: Runs the model as evaluation does.
        task: The task.
        documents: Documents with gold.
        encoded: The same documents as tokens.
    """
    labels: list[torch.Tensor] = []

    def counting(reduce: Reduce) -> Reduce:
        def reduce_outputs(outputs: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
            labels.append(own)
            return reduce(outputs, own)

        return reduce_outputs

    counted = replace(
        reader, reduce_outputs=counting(reader.reduce_outputs), members=[counting(one) for one in reader.members]
    )
    found = list(predict(counted, task, documents, encoded))
    predictions = [prediction for prediction, _ in found]
    seen = sum(sum(prediction.seen) for prediction in predictions)
    units = sum(len(prediction.seen) for prediction in predictions)
    whole = [_all_seen(task, d, e, merged.outputs) for d, e, (_, merged) in zip(documents, encoded, found, strict=True)]
    # The metric raises an error for incomplete answers, so that it is computed for complete ones only.
    share = metric(task.metric)(documents, predictions).coverage_labels if units == sum(whole) else seen / sum(whole)
    labelled = sum(int((own != NO_LABEL).sum()) for own in labels)
    labelled = int(current().table([labelled]).sum())  # each process has run some of the passes
    return [
        _gold(subject, seen=seen, units=units, whole=sum(whole), share=share),
        _labels(subject, encoded, labelled),
    ]


def _all_seen(task: Task, document: Document, encoded: Encoded, outputs: FloatArray) -> int:
    """Return the number of units of the answer if every token were seen."""
    return len(task.decode(document, encoded, Merged(outputs, np.ones(len(encoded), np.bool_))).seen)


def _gold(subject: Subject, *, seen: int, units: int, whole: int, share: float) -> Check:
    name, proves = (
        "gold",
        "Every unit to predict is predicted or counts as missed: none drops out of the score.",
    )
    detail = f"{seen:,} seen + {units - seen:,} missed of {whole:,} units; {share:.1%} of the gold was seen completely"
    if units != whole:
        return Check(
            name, proves, False, f"{detail}: the others are not scored.", deviation=abs(whole - units) / max(whole, 1)
        )
    if subject.strategy.reading.covers and (seen < units or share < 1):
        part = option(subject.strategy.reading)
        return Check(
            name,
            proves,
            False,
            f"{detail}, but reading={part} declares to cover every token.",
            deviation=1 - seen / units,
        )
    return Check(name, proves, True, f"{detail}.", deviation=0.0)


def _labels(subject: Subject, encoded: Sequence[Encoded], labelled: int) -> Check:
    name, proves = "labels", "Every label of a covered token is part of the loss, at the token that it belongs to."
    expected = dropped = 0
    for document in encoded:
        left = document.labels != NO_LABEL
        for window in subject.strategy.reading.windows(document, subject.length):
            own = window.token_index[window.token_index != ADDED]
            expected += int((document.labels[own] != NO_LABEL).sum())
            left[own] = False
        dropped += int(left.sum())
    gold = sum(int((document.labels != NO_LABEL).sum()) for document in encoded)
    detail = f"{labelled:,} labels in windows, of {gold:,} in documents; {dropped:,} are in none"
    fine = labelled == expected and not (dropped and subject.strategy.reading.covers)
    deviation = (abs(labelled - expected) + dropped * subject.strategy.reading.covers) / max(gold, 1)
    return Check(name, proves, fine, f"{detail}.", deviation=deviation)
