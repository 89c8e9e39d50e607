"""``docs/results.md`` out of the figures that commands left."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.results.jobs import Job, Section

SPLIT = "validation"

RUNS = "<runs>"
"""What stands for the folder of the runs in a command."""

Found = Mapping[str, Mapping[str, Any]]
"""By the name of a job: ``machine`` and ``result``."""


def page(sections: Sequence[Section], found: Found) -> str:
    """The whole page; jobs without figures are left out."""
    machines = {_machine(kept["machine"]) for kept in found.values()}
    lines = [
        "# Results on real documents",
        "",
        "Written by `make results` from the runs themselves; the commands are given without the files of the corpus "
        "(`data.train_file=… data.validation_file=…`). Scores are those of whole documents of the validation split, "
        "which also selected the checkpoint. Intervals are 95 % bootstrap intervals over documents. Seconds are those "
        "of training steps, and of scoring.",
        "",
        f"Machine: {'; '.join(sorted(machines))}.",
    ]
    for section in sections:
        jobs = [job for job in section.jobs if job.name in found]
        if jobs:
            lines += ["", *_section(section, jobs, found)]
    return "\n".join(lines) + "\n"


def _machine(facts: Mapping[str, Any]) -> str:
    return f"{facts['processor']}, {facts['cores']} cores, torch {facts['torch']}"


def _section(section: Section, jobs: Sequence[Job], found: Found) -> Iterator[str]:
    yield f"## {section.title}"
    yield ""
    yield section.about
    yield ""
    heads = ["strategy", "model", "context", *(name.replace("_", " ") for name in section.metrics)]
    heads += ["95 % interval", "read", "tokens", "seconds", "memory", "floor"]
    yield _row(heads)
    yield _row(["---"] * len(heads))
    for job in jobs:
        yield _row(_figures(section, job, found[job.name]["result"]))
    yield from _beside(section, found[jobs[0].name]["result"])
    yield ""
    yield "```"
    for job in jobs:
        yield f"ctxlab {job.command.format(runs=RUNS)}"
    yield "```"


def _figures(section: Section, job: Job, result: Mapping[str, Any]) -> list[str]:
    metrics, cost = result["metrics"][SPLIT], result["cost"]
    tokens = cost["train_tokens"] or cost.get("evaluation_tokens", 0)
    seconds = cost["train_seconds"] or cost.get("evaluation_seconds", 0.0)
    primary = metrics[section.metrics[0]]
    floor = "" if job.floor is None else f"{job.floor:g} {'met' if primary >= job.floor else 'missed'}"
    return [
        job.label,
        result["model"],
        f"{result['context_length']:,}",
        *(_number(metrics.get(name)) for name in section.metrics),
        _interval(section.metrics[0], result),
        f"{result['coverage'][SPLIT]['tokens']:.0%}",
        f"{tokens:,}",
        f"{seconds:,.0f}",
        f"{cost['peak_memory_bytes'] / 2**30:.1f} GiB",
        floor,
    ]


def _interval(metric: str, result: Mapping[str, Any]) -> str:
    """Of the first row of the first table that has one for this metric."""
    tables = result["breakdowns"][SPLIT]
    for row in next(iter(tables.values()), []):
        about = str(next(iter(row.values()))).replace(" ", "_")
        named = about == metric or metric in row
        if named and row.get("low") is not None:
            return f"{_number(row['low'])}–{_number(row['high'])}"
    return "–"


def _beside(section: Section, result: Mapping[str, Any]) -> Iterator[str]:
    """Baselines: rows of the first table, and trigrams."""
    table: list[dict[str, Any]] = next(iter(result["breakdowns"][SPLIT].values()), [])
    for row in table:
        label = str(next(iter(row.values())))
        if label in section.beside:
            names = [name for name in section.metrics if name in row]
            shown = ", ".join(f"{name.replace('_', ' ')} {_number(row[name])}" for name in names)
            yield ""
            yield f"Without a model, {label}: {shown}."
    if "trigram" in result:
        yield ""
        yield f"Interpolated trigrams of the ten training novels: perplexity {_number(result['trigram'])}."


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
