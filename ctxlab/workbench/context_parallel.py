"""Checks that a run's windows can be split among processes (``trainer.context_parallel``), before it begins."""

from ctxlab.core import prefix
from ctxlab.core.added_modules import attached
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.knowledge import FAMILY
from ctxlab.core.parts import Part
from ctxlab.models.loading.dropout import attention_dropout
from ctxlab.runtime.context_parallel import deviation, join
from ctxlab.runtime.ranks import Ranks
from ctxlab.workbench.bench import Workbench

SAME = 1e-3
"""Largest deviation of a part's outputs, relative to their size, that rounding explains."""


def check_split(bench: Workbench, ranks: Ranks) -> None:
    """Refuse to split windows among processes where that cannot work, naming what can.

    Raises:
        UserError: The number of processes does not fit, or a part, the task or the model cannot be split.
    """
    count = bench.settings.context_parallel
    if count == 1:
        return
    if ranks.size % count:
        there = "there is 1 process" if ranks.size == 1 else f"there are {ranks.size}"
        raise UserError(
            f"trainer.context_parallel={count} needs {count} processes for each window, and {there}: use "
            f"ctxlab train with trainer.processes={count}, or trainer.context_parallel=1."
        )
    for problem in (_of_parts(bench), _of_task(bench), _of_model(bench)):
        if problem:
            raise UserError(f"trainer.context_parallel={count} splits every window among processes, {problem}")
    least, longest = bench.strategy.attention.least_part or 1, bench.strategy.reading.longest(bench.length)
    if least * count > longest:
        name = f"strategy/attention={option(bench.strategy.attention)}"
        raise UserError(
            f"trainer.context_parallel={count} gives each process {longest // count:,} of a window's {longest:,} "
            f"tokens, and {name} reaches {least:,} to each side: use context={least * count} or more, a smaller "
            "strategy.attention.window, or fewer processes."
        )


def open_part(bench: Workbench, ranks: Ranks) -> Part | None:
    """Join the processes that check a window together; None, with a note, where this process is alone.

    Raises:
        UserError: Several processes were started that do not hold a window together, or it cannot be split.
    """
    count = bench.settings.context_parallel
    if ranks.size == 1:
        if count > 1:
            bench.task.notes.append(
                f"Windows were not split among processes (trainer.context_parallel={count}): to verify that, start "
                f"`torchrun --nproc-per-node {count} -m ctxlab verify`."
            )
        return None
    if count != ranks.size:
        raise UserError(
            f"{ranks.size} processes were started, but ctxlab verify uses one, or as many as hold a window together: "
            f"start one process, or set trainer.context_parallel={ranks.size}."
        )
    check_split(bench, ranks)
    bench.task.notes.append(f"Every window was held by {count} processes together (trainer.context_parallel={count}).")
    return join(count, ranks)


def _of_parts(bench: Workbench) -> str:
    """Return which part of the strategy cannot be split, as the end of a sentence; empty if all can."""
    strategy, without = bench.strategy, "or trainer.context_parallel=1."
    if strategy.attention.least_part is None:
        name = f"strategy/attention={option(strategy.attention)}"
        return f"but tokens of {name} attend further than to the next part: use strategy/attention=local, {without}"
    if strategy.memory.sequential or strategy.memory.num_added:
        return f"which strategy/memory={option(strategy.memory)} does not support: use strategy/memory=none, {without}"
    if strategy.reading.joins:
        return (
            f"which strategy/reading={option(strategy.reading)} does not support: use strategy/reading=chunk, {without}"
        )
    if strategy.positions.by_batch:
        name = f"strategy/positions={option(strategy.positions)}"
        return f"and {name} depends on the longest window of a batch: use strategy/positions=yarn, {without}"
    if strategy.curriculum.by_loss:
        name = f"strategy/curriculum={option(strategy.curriculum)}"
        return (
            f"and no process knows the loss of a whole document for {name}: use strategy/curriculum=constant, {without}"
        )
    return ""


def _of_task(bench: Workbench) -> str:
    if bench.task.by_token:
        return ""
    name = f"task={bench.task.name}"
    return f"but the loss of {name} is not a sum over tokens: use task=ner, lm or mlm, or trainer.context_parallel=1."


def _of_model(bench: Workbench) -> str:
    if bench.facts.kind == "encoder_decoder":
        return (
            "which encoder-decoders do not support: use model=minilm or model=smollm2, or trainer.context_parallel=1."
        )
    if attention_dropout(bench.model.config):
        return "which dropout of attention weights does not support: use model.attention_dropout=0."
    if any(hasattr(module, prefix.ATTRIBUTE) for module in bench.model.modules()):
        return "which tuning=prefix and tuning=prompt do not support: use tuning=lora, or trainer.context_parallel=1."
    if attached(bench.model, FAMILY) is not None:
        return "which knowledge= was not tried with: use knowledge=none, or trainer.context_parallel=1."
    return ""


def check_outputs(bench: Workbench, part: Part | None, ranks: Ranks) -> None:
    """Compare this process's part of the outputs for a short text with those for the whole text, in all processes.

    Raises:
        UserError: They differ in some process: the model ignores the positions, or mixes tokens outside of attention.
    """
    if part is None:
        return
    worst = float(ranks.table([deviation(bench.model, bench.strategy.attention, part)]).max())
    if not worst <= SAME:
        raise UserError(
            f"trainer.context_parallel={part.count} would change the outputs of model type "
            f"`{bench.model.config.model_type}` (by {worst:.1e} of their size): use trainer.context_parallel=1, or a "
            "model such as BERT, RoBERTa, ModernBERT, GPT-2 or Llama."
        )
