"""What ``--help`` shows, from the files of ``conf/`` and their comments."""

import importlib.metadata
from collections.abc import Iterable, Iterator

from ctxlab.config import catalogue

COMMENT_COLUMN = 46
"""Where comments start, unless the value is longer."""

FLAGS = {
    "--cfg job": "show the configuration instead of running; --resolve fills in references, -p trainer shows a part",
    "-m, --multirun": "one job for each combination of comma-separated values, glob(*) or range(…)",
    "--info defaults-tree": "which file each setting comes from",
    "--config-dir DIR": "a folder of your own options beside conf/",
    "hydra.run.dir=DIR": "where the run is kept; hydra.sweep.dir=DIR for all runs of -m",
    "hydra/launcher=NAME": "another launcher for -m, where its package is installed",
}
"""Hydra's flags and settings worth knowing."""


def version() -> str:
    """``ctxlab 0.1.0``."""
    return f"ctxlab {importlib.metadata.version('ctxlab')}"


def overview() -> str:
    """Help of the command itself."""
    stages = catalogue.stages()
    files = {stage: catalogue.option_file("", stage) for stage in stages}
    examples = [catalogue.header(files[stage])[1:2] for stage in sorted(stages, key=lambda stage: stage != "train")]
    lines = [
        f"{version()}: which way of reaching a longer context is worth it?",
        "",
        "ctxlab <stage> [overrides]",
        "",
        "Stages",
        *_table((stage, catalogue.summary(files[stage])) for stage in stages),
        "",
        "More",
        *_table(
            [
                ("<stage> --help", "groups, options, keys and examples of a stage"),
                ("completion bash", 'print completion, for eval "$(ctxlab completion bash)"; also zsh'),
                ("strategies", "every strategy and part: what it does, paper, models, cost, when not to use it"),
                ("--version", "print the version"),
            ]
        ),
        "",
        "Examples",
        *(f"  {line}" for example in examples for line in example),
        "",
        "CTXLAB_TRACEBACK=1 shows the traceback of an error.",
    ]
    return "\n".join(lines) + "\n"


def stage(name: str) -> str:
    """Help of one stage."""
    path = catalogue.option_file("", name)
    lines = [
        f"ctxlab {name}: {catalogue.summary(path)}",
        "",
        f"ctxlab {name} [flags] [group=option …] [key=value …]",
        "",
        "Groups (* default)",
        *_groups(name),
        "",
        "Keys",
        *_keys(name),
        "",
        f"Keys of other groups: ctxlab {name} --cfg job",
        "",
        "Flags and settings of Hydra",
        *_table(FLAGS.items()),
        "",
        "Examples",
        *(f"  {line}" for line in catalogue.header(path)[1:]),
    ]
    return "\n".join(lines) + "\n"


def _groups(name: str) -> Iterator[str]:
    chosen = dict(catalogue.defaults(catalogue.option_file("", name)))
    for group in catalogue.groups():
        if group.split("/")[0] not in chosen and group != "experiment":
            continue
        yield f"  {group}" + (
            "  (added with a plus: +experiment=…)" if group not in chosen and "/" not in group else ""
        )
        options = catalogue.options(group)
        width = max(map(len, options), default=0)
        for option in options:
            mark = "*" if chosen.get(group) == option else " "
            yield f"   {mark}{option:<{width}}  {catalogue.summary(catalogue.option_file(group, option))}".rstrip()


def _keys(name: str) -> Iterator[str]:
    tree = catalogue.tree(name)
    for key, entry in sorted(tree.items(), key=lambda pair: "." in pair[0]):
        if "." in key and not key.startswith("trainer."):
            continue
        shown = f"  {key}={entry.value}"
        yield f"{shown:<{COMMENT_COLUMN}}  {entry.comment}".rstrip()


def _table(rows: Iterable[tuple[str, str]]) -> list[str]:
    pairs = list(rows)
    width = max((len(left) for left, _ in pairs), default=0)
    return [f"  {left:<{width}}  {right}".rstrip() for left, right in pairs]
