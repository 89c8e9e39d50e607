"""Perturbs tokens, measures which states and outputs depend on them, and compares that with the declaration.

Shape legend: W tokens of a window, P probes, V levels (every measured layer, then the outputs).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ctxlab.core.contract import option
from ctxlab.core.passes import Item
from ctxlab.core.types import ADDED, BoolArray, FloatArray, Window
from ctxlab.verification.check import Check, scientific
from ctxlab.verification.declared import Declared, declare
from ctxlab.verification.probes import Probe, choose
from ctxlab.verification.subject import States, Subject, rms, states

TOKENS_AT_ONCE = 1 << 14
"""Tokens of all documents that are compared at once."""

LEAST = 1e-14
"""Smallest relative change that counts as an influence; compared passes have equal shapes, so that nothing else
differs."""

CONTEXTS = 1.5
"""Length of the document as a multiple of the context, so that there is more than one window."""


@dataclass(frozen=True, eq=False)
class Reach:
    """Measured and declared influence, for every window of one document."""

    probes: Sequence[Probe]
    windows: Sequence[Window]
    measured: Sequence[torch.Tensor]
    """(V, W, P) largest change of a state, relative to the RMS of all states."""
    declared: Sequence[Declared]
    names: Sequence[str]
    """Names of the levels."""
    floor: float
    """Changes up to this are rounding errors."""
    num_tokens: int


def measure(
    subject: Subject, num_blocks: int, num_single: int, done: Callable[[float], None] = lambda _: None
) -> Reach:
    """Run all probes.

    Args:
        subject: What is verified, in evaluation mode and double precision.
        num_blocks: Blocks that the document is cut into.
        num_single: Single tokens that are probed.
        done: Called with the fraction that is finished, for a progress display.
    """
    encoded = subject.document(max(round(subject.length * CONTEXTS), subject.strategy.reading.longest(subject.length)))
    base = subject.items(encoded)
    windows = [window for item in base for window in item.windows]
    probes = choose(subject, windows, num_tokens=len(encoded), num_blocks=num_blocks, num_single=num_single)
    at_once = min(max(TOKENS_AT_ONCE // sum(map(len, windows)), 1), len(probes))
    before, again = (states(subject, [base] * at_once, layers=True) for _ in range(2))
    floor = max(8 * max(changes(a, b).amax().item() for a, b in _pairs(before, again)), LEAST)
    columns: list[list[torch.Tensor]] = [[] for _ in windows]
    for start in range(0, len(probes), at_once):
        group = probes[start : start + at_once]
        changed = [[_applied(subject, item, probe) for item in base] for probe in group]
        after = states(subject, [*changed, *[base] * (at_once - len(group))], layers=True)
        for one, other in list(zip(before, after, strict=True))[: len(group)]:
            for w, (a, b) in enumerate(zip(one, other, strict=True)):
                columns[w].append(changes(a, b))
        done((start + len(group)) / len(probes))
    measured = [torch.stack(column, dim=-1).cpu() for column in columns]
    num_layers = len(measured[0]) - 1
    names = [*(f"layer {layer + 1}" for layer in range(num_layers)), "the outputs"]
    declared = [own for item in base for own in declare(subject, item, probes)]
    return Reach(
        probes, windows, measured=measured, declared=declared, names=names, floor=floor, num_tokens=len(encoded)
    )


def _applied(subject: Subject, item: Item, probe: Probe) -> Item:
    return replace(item, windows=[probe.applied(w, subject) for w in item.windows])


def _pairs(ones: Sequence[Sequence[States]], others: Sequence[Sequence[States]]) -> list[tuple[States, States]]:
    return [pair for a, b in zip(ones, others, strict=True) for pair in zip(a, b, strict=True)]


def changes(before: States, after: States) -> torch.Tensor:
    """Return (V, W): the largest change of each state, relative to the RMS of its level."""
    pairs = zip(before.levels(), after.levels(), strict=True)
    # NaN counts as an infinite influence.
    return torch.stack([((a - b).abs().amax(-1) / rms(a)).nan_to_num(nan=torch.inf) for a, b in pairs])


def check_nothing_else(subject: Subject, reach: Reach) -> Check:
    """Check that no influence is measured that the parts do not declare."""
    proves = "A change of tokens affects no token that the parts do not declare, in any layer or output."
    leaks = [measured * ~declared.could for measured, declared in zip(reach.measured, reach.declared, strict=True)]
    worst = max(float(leak.max()) for leak in leaks)
    if worst <= reach.floor:
        return Check("reaches nothing else", proves, True, _looked_at(reach), deviation=worst)
    count = sum(int((leak > reach.floor).sum()) for leak in leaks)
    w, level, place, p = _first([leak > reach.floor for leak in leaks])
    where = f"in {reach.names[level]} {_name(reach, w, place)} depends on {reach.probes[p].name}"
    detail = f"{count:,} influences are not declared; {where} ({scientific(float(leaks[w][level, place, p]))})"
    return Check(
        "reaches nothing else",
        proves,
        False,
        f"{detail}{_likely_cause(subject, reach, w=w, place=place, p=p)}.",
        deviation=worst,
    )


def check_future(subject: Subject, reach: Reach) -> Check:
    """Check that in a causal model no state before a changed token changes, whatever the parts declare."""
    name, proves = "the future", "In a causal model, no state or output before a changed token changes."
    if not subject.is_causal:
        return Check(name, proves, None, "The model reads in both directions.")
    changed = [np.stack([probe.changes(window) for probe in reach.probes], axis=1) for window in reach.windows]
    earlier = [_before(changed, w) for w in range(len(changed))]
    moved = [own * torch.from_numpy(still) for own, still in zip(reach.measured, earlier, strict=True)]
    worst = max(float(own.max()) for own in moved)
    looked = sum(int(still.sum()) for still in earlier) * len(reach.names)
    count = sum(int((own > reach.floor).sum()) for own in moved)
    if not count:
        return Check(name, proves, True, f"{looked:,} states before a change are not affected.", deviation=worst)
    w, level, place, p = _first([own > reach.floor for own in moved])
    detail = f"{count:,} of {looked:,} states change: in {reach.names[level]} {_name(reach, w, place)} depends on "
    detail = f"{detail}{reach.probes[p].name} ({scientific(float(moved[w][level, place, p]))})"
    part = f"attention={option(subject.strategy.attention)}"
    if subject.strategy.attention.looks_ahead:
        detail = f"{detail}, as {part} declares: likelihoods of tokens under it depend on later tokens."
        return Check(name, proves, None, detail, deviation=worst)
    return Check(name, proves, False, f"{detail}: does {part} choose keys by the whole window?", deviation=worst)


def _before(changed: Sequence[BoolArray], w: int) -> BoolArray:
    """Return (W, P) bool: tokens of window ``w`` that come before all tokens that a probe changes, in any window."""
    still: BoolArray = np.zeros_like(changed[w])
    for p in range(still.shape[1]):
        first = next((other for other, own in enumerate(changed) if own[:, p].any()), -1)
        if w < first:
            still[:, p] = True
        elif w == first:
            still[: int(changed[w][:, p].argmax()), p] = True
    return still


def check_all_declared(subject: Subject, reach: Reach) -> Check:
    """Check that every declared influence within two layers is measured."""
    name, proves = "reaches what it should", "A change of tokens affects every token that the parts declare."
    if not subject.strategy.attention.exact:
        return Check(
            name, proves, None, f"attention={option(subject.strategy.attention)} declares an upper bound only."
        )
    missing = [
        declared.must & (measured <= reach.floor)
        for measured, declared in zip(reach.measured, reach.declared, strict=True)
    ]
    expected, absent = sum(int(own.must.sum()) for own in reach.declared), sum(int(own.sum()) for own in missing)
    if not absent:
        return Check(
            name, proves, True, f"All {expected:,} declared influences are found. {_looked_at(reach)}", deviation=0.0
        )
    w, level, place, p = _first(missing)
    where = f"in {reach.names[level]} {_name(reach, w, place)} does not depend on {reach.probes[p].name}"
    part = f"attention={option(subject.strategy.attention)}"
    detail = f"{absent:,} of {expected:,} declared influences are missing: {where}; is {part} installed as declared?"
    return Check(name, proves, False, detail, deviation=absent / expected)


def check_carried(subject: Subject, reach: Reach) -> Check:
    """Check that a change in one window affects the next, where the memory or the reading declares it."""
    name, proves = "memory", "A change in one window affects the next, as the memory or the reading declares."
    pairs = [
        (w, p, float(measured[-1, :, p].max()))
        for w, (measured, declared) in enumerate(zip(reach.measured, reach.declared, strict=True))
        for p in np.flatnonzero(declared.carried).tolist()
    ]
    if not pairs:
        memory, reading = subject.strategy.memory, subject.strategy.reading
        parts = f"memory={option(memory)} and reading={option(reading)}"
        if not memory.sequential and not reading.joins:
            return Check(name, proves, None, f"{parts} carry nothing from window to window.")
        detail = f"{parts} carry nothing here: is there a second window in context.length={subject.length}?"
        return Check(name, proves, False, f"{detail} Make strategy.reading.window smaller.")
    lost = [(w, p) for w, p, change in pairs if change <= reach.floor]
    if not lost:
        return Check(name, proves, True, f"All {len(pairs):,} changes of a window affect the next.", deviation=0.0)
    w, p = lost[0]
    detail = (
        f"{len(lost):,} of {len(pairs):,} changes have no effect in the next window: window {w} does not depend on "
        f"{reach.probes[p].name} in window {w - 1}."
    )
    return Check(name, proves, False, detail, deviation=len(lost) / len(pairs))


def _looked_at(reach: Reach) -> str:
    blocks = sum(probe.is_block for probe in reach.probes)
    layers = len(reach.names) - 1
    where = f"{layers} layers and the outputs" if layers else "the outputs"
    return (
        f"Changed: {blocks} blocks and {len(reach.probes) - blocks} single tokens of {reach.num_tokens:,} in "
        f"{len(reach.windows)} windows; compared: {where}."
    )


def _first(found: Sequence[torch.Tensor]) -> tuple[int, int, int, int]:
    """Return window, level, index in the window and probe of one entry: at the lowest level, a single token if any."""
    level, w = min((int(own.any(2).any(1).nonzero()[0]), w) for w, own in enumerate(found) if own.any())
    p = int(found[w][level].any(0).nonzero()[-1])  # single tokens come after the blocks
    return w, level, int(found[w][level][:, p].nonzero()[0]), p


def _name(reach: Reach, w: int, place: int) -> str:
    """Return the name of a token of a window, for messages."""
    token = int(reach.windows[w].token_index[place])
    return f"token {token}" if token != ADDED else f"special token {place} of window {w}"


def _likely_cause(subject: Subject, reach: Reach, w: int, place: int, p: int) -> str:
    """Return the most likely cause of an undeclared influence, as the end of a sentence.

    Args:
        subject: What is verified.
        reach: The measured influence.
        w: Index of the affected window.
        place: Index of the affected token in it.
        p: Index of the probe.
    """
    changed = np.flatnonzero(reach.probes[p].changes(reach.windows[w]))
    if not len(changed):
        return f", which is not in window {w}: something leaks between windows or documents"
    if subject.is_causal and changed[0] > place:
        return ", which comes later: causality is lost (is the pattern's mask function registered?)"
    return f": is attention={option(subject.strategy.attention)} wider than it declares?"


def picture(reach: Reach, level: int) -> tuple[FloatArray, FloatArray]:
    """Return declared (0 or 1) and measured (log10) influence of blocks on document tokens, (L, blocks) each."""
    blocks = [p for p, probe in enumerate(reach.probes) if probe.is_block]
    declared = np.zeros((reach.num_tokens, len(blocks)), np.float32)
    measured = np.full((reach.num_tokens, len(blocks)), np.nan, np.float32)
    for window, own, found in zip(reach.windows, reach.declared, reach.measured, strict=True):
        real = window.token_index != ADDED
        tokens = window.token_index[real]
        declared[tokens] = np.maximum(declared[tokens], own.could[level][real][:, blocks].numpy())
        values = found[level][real][:, blocks].numpy()
        shown = np.where(values > reach.floor, np.log10(np.maximum(values, 1e-300)), np.nan)
        measured[tokens] = np.fmax(measured[tokens], shown)
    return declared, measured
