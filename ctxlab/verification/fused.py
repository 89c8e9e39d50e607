"""Checks of windows that are encoded apart and read together by the decoder of an encoder-decoder.

Windows are changed one at a time, as they are and not in the document, so that overlapping ones stay apart.

Shape legend: N windows of a document, W tokens of a window, G groups of windows, M tokens of a group that the decoder
reads, T tokens of a target, D hidden size, V vocabulary.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.passes import Item
from ctxlab.core.types import ADDED, NO_LABEL, Encoded, FloatArray, Window
from ctxlab.runtime.forward import IN_DECODER, Passes, model_call
from ctxlab.verification.check import Check, within
from ctxlab.verification.positions import check_positions
from ctxlab.verification.precision import KeepDouble
from ctxlab.verification.reach import CONTEXTS, LEAST
from ctxlab.verification.reading import check_windows
from ctxlab.verification.saving import CheckpointIO
from ctxlab.verification.subject import Subject, largest, rms

TARGET_TOKENS = 8
SHARES = (1.3, 0.6, 0.2)
"""Lengths of documents in a batch as multiples of the context."""


@dataclass(frozen=True, eq=False)
class Observed:
    """What was seen of documents in one pass."""

    encoded: list[torch.Tensor] = field(default_factory=list)
    """(W, D) encoder states of each window."""
    read: list[torch.Tensor] = field(default_factory=list)
    """(M, D) states that the decoder's cross attention is shown, of each group."""
    logits: list[torch.Tensor] = field(default_factory=list)
    """(T, V) of each group."""


Picture = tuple[str, FloatArray, FloatArray]
"""Title, declared influence 0 or 1, and log10 of the measured one, NaN for none: by state (row) and changed window."""


@dataclass(frozen=True, eq=False)
class Changes:
    """What changes with each window of a document, relative to the size of what changes."""

    states: FloatArray
    """(N, N) largest change of a state of the window (row) by a change of the other (column)."""
    logits: FloatArray
    """(G, N) of a logit of the group."""
    group: Sequence[int]
    """Group of each window."""

    def pictures(self) -> list[Picture]:
        """Return what depends on what, as declared and as measured."""
        own = np.eye(len(self.group), dtype=np.float32)
        groups = np.asarray(self.group)[None] == np.arange(len(self.logits))[:, None]
        return [
            ("encoder states of windows", own, _logarithm(self.states)),
            ("generated text of groups", groups.astype(np.float32), _logarithm(self.logits)),
        ]


def _logarithm(values: FloatArray) -> FloatArray:
    found: FloatArray = np.where(values > LEAST, np.log10(np.maximum(values, LEAST)), np.nan).astype(np.float32)
    return found


def run_fused_checks(
    subject: Subject,
    encoded: Sequence[Encoded],
    checkpoints: CheckpointIO,
    *,
    trained: bool,
    done: Callable[[float], None] = lambda _: None,
) -> tuple[list[Check], list[Picture]]:
    """Run the checks of ``ctxlab verify`` for a reading that fuses; the model ends in double precision.

    Args:
        subject: The model as it was assembled, in single precision.
        encoded: Some documents as tokens.
        checkpoints: Saves a checkpoint, and loads it with a new copy of the strategy.
        trained: Whether the model has been trained with the strategy.
        done: Called with the fraction that is finished, for a progress display.
    """
    subject.model.eval()
    positions = check_positions(subject, trained=trained)
    with TemporaryDirectory(prefix="ctxlab-verify-") as folder:
        items = _items(subject, round(subject.length * CONTEXTS))
        saved = observe(subject, items).logits
        checkpoints.save(subject.model, Path(folder))
        subject.model.double()
        with KeepDouble():
            changes = measure(subject, items, done)
            checks = [
                check_apart(changes),
                check_together(subject, changes),
                check_groups(changes),
                check_memory(subject, items),
                check_one_window(subject),
                positions,
                check_windows(subject, [*(_document(subject, subject.length * n + 1) for n in (1, 3)), *encoded]),
                *_check_batches(subject),
                check_gradient(subject, items),
            ]
        checks.append(_check_saved(subject, Path(folder), items=items, before=saved, checkpoints=checkpoints))
    return checks, changes.pictures()


def _document(subject: Subject, num_tokens: int, draw: int = 0) -> Encoded:
    """Return a document of random tokens with a target of random tokens."""
    target = np.random.default_rng((subject.seed, draw)).choice(subject.tokens, TARGET_TOKENS)
    anchors = np.full(TARGET_TOKENS, ADDED)
    return replace(subject.document(max(num_tokens, 1), draw), target=target, anchors=anchors)


def _items(subject: Subject, num_tokens: int, draw: int = 0) -> list[Item]:
    return subject.items(_document(subject, num_tokens, draw))


def observe(subject: Subject, items: Sequence[Item], pad_id: int | None = None) -> Observed:
    """Return what is seen of ``items`` in a pass, without gradients.

    Args:
        subject: What is verified.
        items: Groups of windows.
        pad_id: Token used as padding; None for the usual one.
    """
    found = Observed()
    with torch.no_grad(), _watched(subject, items, found):
        for passed in _passes(subject, pad_id).run(items):
            found.logits.extend(row[:TARGET_TOKENS] for row in passed.outputs)
    return found


def _passes(subject: Subject, pad_id: int | None = None) -> Passes:
    pad_id = subject.pad_id if pad_id is None else pad_id
    return Passes(subject.strategy, model_call(subject.model), pad_id, subject.device, target_place=IN_DECODER)


@contextmanager
def _watched(subject: Subject, items: Sequence[Item], found: Observed) -> Iterator[None]:
    """Keep the states between encoder and decoder while the model runs in this context."""
    widths = [len(window) for item in items for window in item.windows]

    def note_encoded(_: Any, __: Any, output: Any) -> None:
        found.encoded.extend(row[:width] for row, width in zip(output[0], widths, strict=True))

    def note_read(_: Any, __: Any, given: Mapping[str, Any]) -> None:
        states, mask = given["encoder_hidden_states"], given["encoder_attention_mask"]
        found.read.extend(row[shown > 0] for row, shown in zip(states, mask, strict=True))

    handles = [
        subject.model.get_encoder().register_forward_hook(note_encoded, prepend=True),  # before states are joined
        subject.model.get_decoder().register_forward_pre_hook(note_read, with_kwargs=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def measure(subject: Subject, items: Sequence[Item], done: Callable[[float], None] = lambda _: None) -> Changes:
    """Change each window of a document in turn, and compare all encoder states and logits."""
    before = observe(subject, items)
    places = [(i, w) for i, item in enumerate(items) for w in range(len(item.windows))]
    states = np.zeros((len(places), len(places)), np.float32)
    logits = np.zeros((len(items), len(places)), np.float32)
    for number, (i, w) in enumerate(places):
        after = observe(subject, _with_changed(subject, items, i, w))
        states[:, number] = [_change(a, b) for a, b in zip(before.encoded, after.encoded, strict=True)]
        logits[:, number] = [_change(a, b) for a, b in zip(before.logits, after.logits, strict=True)]
        done((number + 1) / len(places))
    return Changes(states, logits, [i for i, _ in places])


def _change(before: torch.Tensor, after: torch.Tensor) -> float:
    return largest(after - before) / rms(before)


def _with_changed(subject: Subject, items: Sequence[Item], i: int, w: int) -> list[Item]:
    """Return ``items`` with other tokens of the document in window ``w`` of item ``i``."""
    window = items[i].windows[w]
    real = window.token_index != ADDED
    ids = window.input_ids.copy()
    ids[real] = subject.other(ids[real])
    windows = list(items[i].windows)
    windows[w] = replace(window, input_ids=ids)
    return [replace(item, windows=windows) if number == i else item for number, item in enumerate(items)]


def check_apart(changes: Changes) -> Check:
    """Check that the encoder states of a window depend on no other window."""
    proves = "The encoder states of a window do not depend on any other window."
    others = np.where(np.eye(len(changes.group), dtype=np.bool_), 0.0, changes.states)
    worst, count = float(others.max(initial=0.0)), len(changes.group)
    detail = f"{count} windows changed one at a time, and the states of the others compared"
    if worst > LEAST:
        row, column = np.unravel_index(int(others.argmax()), others.shape)
        return Check("windows apart", proves, False, f"Window {row} depends on window {column}.", deviation=worst)
    return Check("windows apart", proves, True, f"{detail}.", deviation=worst)


def check_together(subject: Subject, changes: Changes) -> Check:
    """Check that what a decoder says depends on every window that it is to read."""
    name, proves = "read together", "What the decoder generates depends on every window of its group."
    sizes = np.bincount(changes.group)
    if sizes.max() < 2:
        part = f"reading={option(subject.strategy.reading)}"
        detail = f"{part} has no second window in context.length={subject.length}: make strategy.reading.window smaller"
        return Check(name, proves, False, f"{detail}, or the context longer.")
    lost = [n for n, group in enumerate(changes.group) if changes.logits[group, n] <= LEAST]
    if lost:
        detail = f"{len(lost)} of {len(changes.group)} windows have no effect on the logits, such as window {lost[0]}."
        return Check(name, proves, False, detail, deviation=len(lost) / len(changes.group))
    detail = f"All {len(changes.group)} windows, up to {sizes.max()} in a group, change the logits of their group."
    return Check(name, proves, True, detail, deviation=0.0)


def check_groups(changes: Changes) -> Check:
    """Check that what is generated after a group does not depend on another group."""
    name, proves = "groups", "What is generated after a group of windows does not depend on another group."
    if len(changes.logits) < 2:
        return Check(name, proves, None, "The document is read in one group.")
    others = np.asarray(changes.group)[None] != np.arange(len(changes.logits))[:, None]
    worst = float(np.where(others, changes.logits, 0.0).max())
    return within(name, proves, worst, f"{len(changes.logits)} groups, each window changed in turn.", tolerance=LEAST)


@torch.no_grad()
def check_memory(subject: Subject, items: Sequence[Item]) -> Check:
    """Check that the decoder is shown the states of windows that were encoded alone, those that are declared."""
    name, proves = "encoder states", "The decoder reads the declared states of windows, each as if encoded alone."
    found, worst = observe(subject, items).read, 0.0
    for number, (item, read) in enumerate(zip(items, found, strict=True)):
        alone = torch.cat([_encoded_alone(subject, window) for window in item.windows])
        if alone.shape != read.shape:
            detail = f"The decoder reads {len(read)} states of group {number}, and {len(alone)} are declared."
            return Check(name, proves, False, detail)
        worst = max(worst, _change(alone, read))
    tokens = sum(map(len, found))
    return within(name, proves, worst, f"{tokens:,} states of {len(items)} groups, compared with windows alone.")


def _encoded_alone(subject: Subject, window: Window) -> torch.Tensor:
    """Return (K, D) the states of a window that the decoder is to read, from the encoder alone."""
    assert window.kept is not None
    ids = torch.from_numpy(window.input_ids)[None].to(subject.device)
    states = subject.model.get_encoder()(input_ids=ids, attention_mask=torch.ones_like(ids))[0][0]
    return torch.as_tensor(states[torch.from_numpy(window.kept).to(states.device)])


@torch.no_grad()
def check_one_window(subject: Subject) -> Check:
    """Check that a document of one window has the logits of the model called as the library does."""
    proves = "A document that is one window has the logits of the plain model."
    document = _document(subject, subject.strategy.reading.longest(subject.length))
    first = replace(subject.strategy.reading.windows(document, subject.length)[0], begins=True)
    kept = np.ones(len(first), np.bool_)
    (item,) = subject.items(document, [replace(first, kept=kept)])
    (logits,) = observe(subject, [item]).logits
    ids = torch.from_numpy(first.input_ids)[None].to(subject.device)
    target = torch.from_numpy(item.targets[0])[None].to(subject.device)
    plain = subject.model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=target).logits[0]
    return within("one window", proves, _change(plain, logits), f"{len(first):,} tokens and a target of {len(logits)}.")


def _check_batches(subject: Subject) -> list[Check]:
    """Check that batched logits equal unbatched ones, and that padding and other documents have no effect."""
    documents = [_items(subject, round(subject.length * share), draw) for draw, share in enumerate(SHARES)]
    flat = [item for own in documents for item in own]
    together = observe(subject, flat).logits
    alone = [logits for item in flat for logits in observe(subject, [item]).logits]
    padded = observe(subject, flat, pad_id=int(subject.tokens[len(subject.tokens) // 2])).logits
    changed = flat
    for w in range(len(flat[0].windows)):
        changed = _with_changed(subject, changed, 0, w)
    beside = observe(subject, changed).logits
    sizes = ", ".join(f"{sum(map(len, own)):,}" for own in documents)
    rows = (
        ("batches", "A document has the same logits in a batch as alone.", together, alone, 1e-6),
        ("padding", "The tokens used as padding have no effect.", together, padded, 1e-6),
        ("documents", "No information passes from one document to another.", together[1:], beside[1:], 1e-9),
    )
    return [
        within(name, proves, max(map(_change, ones, others)), f"Documents of {sizes} tokens.", tolerance=tolerance)
        for name, proves, ones, others, tolerance in rows
    ]


def check_gradient(subject: Subject, items: Sequence[Item]) -> Check:
    """Check that the loss of a group has a gradient at the token embeddings of each of its windows."""
    name, proves = "gradient", "The loss has a gradient at the tokens of every window, so that all of them train."
    embedded: list[torch.Tensor] = []
    table = subject.model.get_encoder().get_input_embeddings()
    handle = table.register_forward_hook(lambda _, __, output: embedded.append(output))
    total = torch.zeros((), dtype=torch.float64, device=subject.device)
    try:
        for passed in _passes(subject).run(items):
            rows = passed.outputs.transpose(1, 2).double()
            total = total + torch.nn.functional.cross_entropy(rows, passed.labels, ignore_index=NO_LABEL)
    finally:
        handle.remove()
    gradients = torch.autograd.grad(total, embedded)
    norms = torch.cat([one.flatten(1).double().norm(dim=1) for one in gradients])
    silent = int((norms <= 0).sum() + (~norms.isfinite()).sum())
    detail = f"{len(norms)} windows; norms from {float(norms.min()):.1e} to {float(norms.max()):.1e}."
    return Check(name, proves, not silent, detail, deviation=silent / len(norms))


def _check_saved(
    subject: Subject, folder: Path, items: Sequence[Item], before: Sequence[torch.Tensor], checkpoints: CheckpointIO
) -> Check:
    """Check that the model loaded from ``folder`` has the same logits.

    Args:
        subject: What was saved.
        folder: Where it was saved.
        items: Groups of windows.
        before: Their logits before saving.
        checkpoints: Loads the model.
    """
    name, proves = "checkpoint", "The model has the same logits after saving and loading: no part of it is lost."
    try:
        model, strategy = checkpoints.load(folder)
    except UserError as error:
        return Check(name, proves, False, f"It does not load: {error}")
    after = observe(replace(subject, model=model, strategy=strategy), items).logits
    worst = max(map(_change, before, after))
    return within(name, proves, worst, f"{len(items)} groups, before and after.", tolerance=1e-5)
