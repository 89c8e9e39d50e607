"""Checks that a document's outputs do not depend on the rest of its batch."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ctxlab.core.passes import Item
from ctxlab.verification.check import Check, within
from ctxlab.verification.probes import Probe
from ctxlab.verification.subject import Subject, difference, states

SHARES = (1.3, 0.6, 0.2)
"""Lengths of the documents as multiples of the context: different, so that there is padding, one over a window."""


def check_batches(subject: Subject) -> list[Check]:
    """Check that batched outputs equal unbatched ones, and that padding and other documents have no effect."""
    documents = _documents(subject)
    together = states(subject, documents)
    padded = states(subject, documents, pad_id=int(subject.tokens[len(subject.tokens) // 2]))
    other = _changed(subject, documents[0])
    beside = states(subject, [other, *documents[1:]])
    sizes = ", ".join(f"{sum(map(len, own)):,}" for own in documents)
    return [
        _batched(subject, documents, together),
        within(
            "padding",
            "The tokens used as padding have no effect.",
            max(difference(a, b) for a, b in zip(together, padded, strict=True)),
            f"Documents of {sizes} tokens in a batch, padded with another token.",
        ),
        within(
            "documents",
            "No information passes from one document to another in the same batch.",
            max(difference(a, b) for a, b in zip(together[1:], beside[1:], strict=True)),
            f"All tokens of a document of {sum(map(len, documents[0])):,} changed, in a batch of {sizes} tokens.",
            tolerance=1e-9,
        ),
    ]


def _batched(subject: Subject, documents: Sequence[Sequence[Item]], together: Sequence) -> Check:
    proves = "A document has the same outputs in a batch as alone."
    alone = [states(subject, [own])[0] for own in documents]
    sizes = ", ".join(f"{sum(map(len, own)):,}" for own in documents)
    deviation = max(difference(a, b) for a, b in zip(together, alone, strict=True))
    return within("batches", proves, deviation, f"Documents of {sizes} tokens, together and alone.")


def _documents(subject: Subject) -> list[list[Item]]:
    lengths = [max(round(subject.length * share), 1) for share in SHARES]
    return [subject.items(subject.document(length, draw)) for draw, length in enumerate(lengths)]


def _changed(subject: Subject, items: Sequence[Item]) -> list[Item]:
    probe = Probe("all", np.arange(sum(map(len, items))))
    return [replace(item, windows=[probe.applied(window, subject) for window in item.windows]) for item in items]
