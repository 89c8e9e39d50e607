"""``docs/results.md`` out of the figures that commands left."""

from collections.abc import Iterator, Mapping, Sequence

from scripts.results.figures import PERCENTILE, Figures
from scripts.results.jobs import Job, Section

RUNS = "<runs>"
"""What stands for the folder of the runs in a command."""

OLDER = (
    "Those marked \\* are plain percentile intervals, which are too narrow for few documents (at ten they contain the "
    "true figure in 0.88 to 0.90 of cases): of these runs only the figures were kept, so that they could not be taken "
    "anew. "
)
"""What a reader must know where such intervals are shown."""

Found = Mapping[str, Figures]
"""By the name of a job."""


def page(sections: Sequence[Section], found: Found) -> str:
    """The whole page; jobs without figures are left out."""
    lines = [
        "# Results on real documents",
        "",
        "Written by `make results` from the runs themselves, whose figures lie in `docs/results/`; the commands are "
        "given without the files of the corpus (`data.train_file=… data.validation_file=…`). Scores are those of whole "
        "documents of the validation split, which also selected the checkpoint. Intervals are 95 % expanded-percentile "
        "bootstrap intervals over documents; a dash stands where there is only one. "
        + (OLDER if any(figures.interval_method == PERCENTILE for figures in found.values()) else "")
        + "Seconds are those of training steps, and of scoring.",
    ]
    for section in sections:
        jobs = [job for job in section.jobs if job.name in found]
        if jobs:
            lines += ["", *_section(section, jobs, found)]
    return "\n".join(lines) + "\n"


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
        yield _row(_cells(section, job, found[job.name]))
    for label, scores in found[jobs[0].name].beside.items():
        shown = (f"{name.replace('_', ' ')} {_number(value)}" for name, value in scores.items())
        yield ""
        yield f"For comparison, {label}: {', '.join(shown).removeprefix('value ')}."
    yield ""
    machines = dict.fromkeys(_machine(found[job.name]) for job in jobs)
    yield f"Machine: {'; '.join(machines)}."
    yield ""
    yield "```"
    for job in jobs:
        yield f"ctxlab {job.command.format(runs=RUNS)}"
    yield "```"


def _machine(figures: Figures) -> str:
    facts = figures.machine
    return f"{facts['processor']}, {facts['cores']} cores with {facts['instructions']}, torch {facts['torch']}"


def _cells(section: Section, job: Job, figures: Figures) -> list[str]:
    return [
        job.label,
        figures.model,
        f"{figures.context_length:,}",
        *(_number(figures.scores.get(name)) for name in section.metrics),
        _interval(figures),
        f"{figures.share_read:.0%}",
        f"{figures.tokens:,}",
        f"{figures.seconds:,.0f}",
        f"{figures.peak_memory_bytes / 2**30:.1f} GiB",
        _floor(section, job, figures),
    ]


def _interval(figures: Figures) -> str:
    mark = "\\*" if figures.interval and figures.interval_method == PERCENTILE else ""
    return ("–".join(map(_number, figures.interval or ())) or "–") + mark


def _floor(section: Section, job: Job, figures: Figures) -> str:
    if job.floor is None:
        return ""
    return f"{job.floor:g} {'met' if (figures.scores[section.metrics[0]] or 0) >= job.floor else 'missed'}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
