"""A plan: every candidate measured or taken from the cache, priced for a device and held against a memory limit."""

import gc
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ctxlab.config.keys.comparing import BudgetConfig, DeviceConfig, PlanOptions
from ctxlab.core.errors import UserError
from ctxlab.core.task import Task
from ctxlab.data.splits import Splits, load_documents
from ctxlab.planning import device as roofline
from ctxlab.planning import disk
from ctxlab.planning.device import Device
from ctxlab.planning.measured import Measured
from ctxlab.planning.row import Row
from ctxlab.planning.spending import pays, spending
from ctxlab.runtime import machine
from ctxlab.tracking.console import ProgressDisplay, gibibytes
from ctxlab.training.budget import Budget
from ctxlab.workbench.candidates import Candidate, CandidatesCommand, candidates
from ctxlab.workbench.memory_limit import parse_bytes
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Origin, Parts
from ctxlab.workbench.planning import remedies, stored
from ctxlab.workbench.planning.measuring import measure

HERE = "here"
"""Name of the device that figures are measured on."""

DATA = ("task", "data", "probe", "data_seed", "seed", "folds", "fold")
"""Keys of the configuration that decide about the documents."""

_LOADED: dict[str, Splits] = {}
"""Documents of the latest candidate while a plan is made."""

ROOM = 1.12
"""Factor of the predicted memory that must be available: the largest error towards too little, see docs/plan.md."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A finished plan."""

    origin: Origin
    task: str
    device: Device | None
    """None for this machine."""
    limit_bytes: int | None
    limit_from: str
    """Description of the limit."""
    budget: str
    rows: Sequence[Row]


@dataclass(frozen=True, eq=False)
class Prices:
    """What candidates are priced with."""

    device: Device | None
    limit_bytes: int | None
    limits: Callable[[Parts], Mapping[str, float]]
    """Limits of a candidate's training, see ``spending``."""

    def seconds_per_step(self, found: Measured) -> float:
        """Return the seconds of a step; on a device of the table the middle of the range."""
        return found.seconds_per_step if self.device is None else self._range(found).middle

    def _range(self, found: Measured) -> roofline.Range:
        assert self.device is not None
        return roofline.seconds(
            self.device,
            flops=found.flops_per_step,
            created_bytes=found.created_bytes_per_step,
            operations=found.operations_per_step,
            single=found.precision == "fp32",
        )

    def seconds_range(self, found: Measured) -> tuple[float, float] | None:
        """Return the bounds of the seconds of a step on a device of the table; None for this machine."""
        if self.device is None:
            return None
        bounds = self._range(found)
        return bounds.low, bounds.high

    def memory(self, found: Measured, tokens_per_forward: int | None = None) -> tuple[int, int]:
        """Return the bounds of the peak memory, which are equal on this machine."""
        if self.device is None:
            return (found.peak_bytes(tokens_per_forward),) * 2
        bounds = roofline.memory(found.tensor_bytes(tokens_per_forward))
        return int(bounds.low), int(bounds.high)

    def fits(self, found: Measured, tokens_per_forward: int | None = None) -> bool | None:
        """Return whether the memory suffices; None where it is not known how much there is."""
        if self.limit_bytes is None:
            return None
        high = self.memory(found, tokens_per_forward)[1]
        return high * (ROOM if self.device is None else 1.0) <= self.limit_bytes


def plan(parts: Parts) -> Plan:
    """Price every candidate of the command.

    Raises:
        UserError: No candidate can be trained, or the budget is too small for one step of any of them.
    """
    options: PlanOptions = parts.options
    device = _device(options.device)
    limit_bytes, limit_from = _limit(parts, options, device)
    given = {name: float(amount) for name, amount in vars(options.budget).items() if amount is not None}
    prices = Prices(device, limit_bytes, lambda one: given or _limits(one))
    found = candidates(CandidatesCommand.of(options, budgets=not given), parts.origin.run_dir, least=1)
    try:
        rows = _rows(found, prices)
    finally:
        gc.unfreeze()
        _LOADED.clear()
    _check(rows, options.budget)
    return Plan(
        origin=parts.origin,
        task=parts.task.name,
        device=device,
        limit_bytes=limit_bytes,
        limit_from=limit_from,
        budget=_sentence(given),
        rows=rows,
    )


def measured(parts: Parts) -> Measured:
    """Return the measurement of a candidate, from the cache where there is one.

    Raises:
        UserError: It cannot be trained.
    """
    return stored.measured(parts, lambda: _measure(parts))


def _documents(parts: Parts, task: Task) -> Splits:
    """Return the documents of a candidate, which were loaded for the one before it if its data are the same."""
    config = parts.origin.config
    key = json.dumps({name: config.get(name) for name in DATA}, sort_keys=True, default=str)
    if key not in _LOADED:
        _LOADED.clear()
        _LOADED[key] = load_documents(parts.data, task, parts.data_seed, parts.hold_out)
    return _LOADED[key]


def _measure(parts: Parts) -> Measured:
    opened = open_bench(
        parts,
        lambda task: _documents(parts, task),
        scored=("train",),
        learns=True,
        trains=True,
    )
    if not opened.bench.task.runs_model or not opened.documents.train:
        raise UserError(f"task={parts.task.name} with these options has nothing to train.")
    found = measure(parts, opened.bench, opened.documents.train)
    del opened
    gc.collect()  # only one model in memory at a time
    gc.freeze()  # what is alive now are the libraries: later collections need not look at them
    return found


def _rows(found: Sequence[Candidate], prices: Prices) -> list[Row]:
    """Return a row for each candidate, with a progress display."""
    known: list[tuple[Candidate, Measured | UserError]] = []
    with ProgressDisplay("measure candidates") as shown:
        for number, candidate in enumerate(found, 1):
            known.append((candidate, _try(candidate, prices)))
            shown.update(number / len(found), f"{number} of {len(found)}")
        others = [(one, result) for one, result in known if isinstance(result, Measured)]
        return [
            _refused(one, str(result)) if isinstance(result, UserError) else _row(one, result, prices, others)
            for one, result in known
        ]


def _try(candidate: Candidate, prices: Prices) -> Measured | UserError:
    try:
        if candidate.parts is None:
            return UserError(candidate.refused)
        return measured(_as_on(candidate.parts, prices.device))
    except UserError as error:
        return error


def _as_on(parts: Parts, device: Device | None) -> Parts:
    """Return the run with the precision that it would have on another device; fp16 has the sizes of bf16."""
    if device is None:
        return parts
    precision = parts.trainer.precision
    precision = "bf16" if precision in ("auto", "fp16") else precision
    return replace(parts, trainer=replace(parts.trainer, precision=precision, device="auto"))


def _refused(candidate: Candidate, why: str) -> Row:
    parts = candidate.parts
    return Row(
        candidate=candidate.key,
        title=candidate.title,
        strategy=parts.strategy.name if parts else "",
        context_length=parts.length if parts else None,
        applicable=False,
        why=why,
    )


def _row(candidate: Candidate, found: Measured, prices: Prices, others: Sequence[tuple[Candidate, Measured]]) -> Row:
    """Return the figures of a candidate.

    Args:
        candidate: The candidate.
        found: Its measurement.
        prices: Device, limit and budget.
        others: All candidates that can be trained, which may be named instead of one that does not fit.
    """
    parts = candidate.parts
    assert parts is not None
    seconds, memory, fits = prices.seconds_per_step(found), prices.memory(found), prices.fits(found)
    limits = prices.limits(parts)
    whole = spending(found, seconds, limits)
    remedy = (
        remedies.of(candidate, prices.fits, others, lambda one: measured(_as_on(one, prices.device)))
        if fits is False
        else ""
    )
    setting = parts.trainer
    saves = disk.num_saves(whole.steps, setting.save_every_steps, setting.eval_every_steps)
    kept = disk.num_at_once(setting.keep_checkpoints, saves, has_best=setting.eval_every_steps is not None)
    return Row(
        candidate=candidate.key,
        title=candidate.title,
        strategy=parts.strategy.name,
        context_length=parts.length,
        applicable=True,
        why="" if pays(found, seconds, limits) else "The budget is less than one step.",
        fits=fits,
        remedy=remedy,
        precision=_precision(parts, found, prices.device),
        parameters=found.parameters,
        trainable_parameters=found.trainable_parameters,
        longest_window=found.load.longest_window,
        peak_memory_bytes=int((memory[0] * memory[1]) ** 0.5),
        peak_memory_bytes_range=memory if prices.device else None,
        tensor_bytes=found.tensor_bytes(),
        disk_bytes=found.checkpoint_bytes * kept,
        tokens_per_step=found.load.tokens_per_step,
        flops_per_step=found.flops_per_step,
        seconds_per_step=seconds,
        seconds_per_step_range=prices.seconds_range(found),
        steps=whole.steps,
        epochs=whole.epochs,
        tokens=whole.tokens,
        flops=whole.flops,
        seconds=whole.seconds,
    )


def _precision(parts: Parts, found: Measured, device: Device | None) -> str:
    return device.precision if device and parts.trainer.precision == "auto" else found.precision


def _device(given: DeviceConfig) -> Device | None:
    """Return the device of the table; None for this machine.

    Raises:
        UserError: A rate is missing.
    """
    if given.name == HERE:
        return None
    rates = (given.memory_gib, given.half_tflops, given.single_tflops, given.bandwidth_gbs)
    missing = [name for name, value in vars(given).items() if value is None]
    if missing or None in rates:
        raise UserError(f"device={given.name} needs device.{missing[0]}: give it, or use device=here.")
    memory, half, single, bandwidth = (float(rate or 0.0) for rate in rates)
    return Device(
        name=given.name,
        memory_bytes=memory * 2**30,
        half_flops=half * 1e12,
        single_flops=single * 1e12,
        bytes_per_second=bandwidth * 1e9,
        has_bf16=bool(given.bf16),
    )


def _limit(parts: Parts, options: PlanOptions, device: Device | None) -> tuple[int | None, str]:
    """Return the memory that there is, and where that figure comes from."""
    given = parse_bytes(options.limit.memory)
    if given is not None:
        return given, f"limit.memory={options.limit.memory}"
    if device is not None:
        return int(device.memory_bytes), f"{device.name}: {gibibytes(int(device.memory_bytes))}"
    on_gpu = parts.trainer.device != "cpu" and torch.cuda.is_available()
    amount = machine.memory_bytes(torch.device("cuda" if on_gpu else "cpu"))
    return amount, f"this machine: {gibibytes(amount)}" if amount else "unknown"


def _limits(parts: Parts) -> dict[str, float]:
    """Return the limits of ``trainer``, or the default number of epochs."""
    found = vars(Budget.of(parts.trainer))
    return {name.removeprefix("max_"): float(amount) for name, amount in found.items() if amount is not None}


def _sentence(given: Mapping[str, float]) -> str:
    if not given:
        return "the limits of trainer (three epochs where there are none)"
    return " and ".join(f"budget.{name}={amount:,g}" for name, amount in given.items())


def _check(rows: Sequence[Row], budget: BudgetConfig) -> None:
    """Refuse a plan without a candidate, and a budget that pays no step of any.

    Raises:
        UserError: names the reason of the first candidate, or a budget that would do.
    """
    planned = [row for row in rows if row.applicable]
    if not planned and len(rows) == 1:
        raise UserError(rows[0].why)
    if planned and all(row.why for row in planned):
        name, amount = next((name, amount) for name, amount in vars(budget).items() if amount is not None)
        costs = {
            row.title: {"seconds": row.seconds_per_step, "tokens": row.tokens_per_step, "flops": row.flops_per_step}
            for row in planned
        }
        title, least = min(((title, cost[name] or 0.0) for title, cost in costs.items()), key=lambda pair: pair[1])
        raise UserError(
            f"budget.{name}={amount:g} is too small for one step of any candidate; a step of {title}, the cheapest, "
            f"takes about {least:.2g}: give budget.{name}={float(f'{100 * least:.1g}'):g} for a hundred steps."
        )
