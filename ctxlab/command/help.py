"""The text of ``--help``, from the files of ``conf/`` and their comments."""

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ctxlab.command import positional, selected, suggestions
from ctxlab.command.screen import command, shortened, two_columns, width, wrapped
from ctxlab.config import catalogue
from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError

COMMENT_COLUMN = 36
"""Column at which comments on keys start, unless the value is longer."""

ALL = "all"
"""Word after ``--help`` that shows every option and key."""

LOOK_AFTER = "Look after"

HEADINGS = ("Train and judge", "Compare", "Put to work", LOOK_AFTER)
"""Headings under which ``ctxlab --help`` lists the stages, in this order."""

FLAGS = {
    "--cfg job": "show the configuration instead of running; --resolve fills in references, -p trainer shows a part",
    "-m, --multirun": "one job for each combination of comma-separated values, glob(*) or range(…)",
    "--info defaults-tree": "which file each setting comes from",
    "--config-dir DIR": "a folder of your own options beside conf/",
    "hydra.run.dir=DIR": "where the run is kept; hydra.sweep.dir=DIR for all runs of -m",
    "hydra/launcher=NAME": "another launcher for -m, where its package is installed",
}
"""Hydra's flags and settings worth knowing."""

COMPLETION = (
    "ctxlab completion <shell>: print the completion script of a shell, bash or zsh\n"
    "\n"
    'For this session:   eval "$(ctxlab completion bash)"\n'
    "For all of them:    ctxlab completion bash >> ~/.bashrc\n"
)

STRATEGIES = (
    "ctxlab strategies [name …] [--markdown]: what each strategy and part does\n"
    "\n"
    "ctxlab strategies             all of them, a few lines each\n"
    "ctxlab strategies yarn        one of them in full: parts, keys, cost, papers\n"
    "ctxlab strategies --markdown  all of them as tables, as in docs/strategies.md\n"
)

RUNS = (
    "ctxlab runs [folder] [--clean]: what ran, where, and how it ended\n"
    "\n"
    "ctxlab runs                   the runs in outputs, the newest first\n"
    "ctxlab runs outputs --clean   remove the directories of runs that never began\n"
)

DOCTOR = (
    "ctxlab doctor [run directory]: what is there, what is wrong, and what to do\n"
    "\n"
    "ctxlab doctor                 this machine: device, cores, memory, disk, models\n"
    "ctxlab doctor outputs/…       every checkpoint of a run, and how to continue\n"
)

COMMANDS = {"completion": COMPLETION, "strategies": STRATEGIES, "runs": RUNS, "doctor": DOCTOR}
"""Commands that are not stages → their help."""


def version() -> str:
    """``ctxlab 0.1.0``."""
    return f"ctxlab {importlib.metadata.version('ctxlab')}"


def overview() -> str:
    """Return the help of ``ctxlab`` itself."""
    stages = catalogue.stages()
    files = {stage: catalogue.option_file("", stage) for stage in stages}
    examples = [catalogue.examples(files[stage])[:1] for stage in sorted(stages, key=lambda stage: stage != "train")]
    more = [
        ("<stage> --help", "groups, options, keys and examples of a stage; also ctxlab help <stage>"),
        ("<stage> task=qa --help", "keys of the options that are chosen"),
        ("completion bash", 'print completion, for eval "$(ctxlab completion bash)"; also zsh'),
        ("strategies [name]", "every strategy and part: what it does, paper, models, cost, when not to use it"),
        ("--version", "print the version"),
    ]
    lines = [
        *wrapped(f"{version()}: which way of reaching a longer context is worth it?"),
        "",
        "ctxlab <stage> [overrides]",
        "",
        *_stages(files),
        "More",
        *two_columns(more),
        "",
        "Examples",
        *(line for example in examples for words in example for line in command(words)),
        "",
        "CTXLAB_TRACEBACK=1 shows the traceback of an error.",
    ]
    return "\n".join(lines) + "\n"


def _stages(files: Mapping[str, Path]) -> Iterator[str]:
    """Yield the stages, and the commands that look after runs, under the heading of each."""
    rows = [(catalogue.purpose(path), stage, catalogue.summary(path)) for stage, path in files.items()]
    rows += [
        (LOOK_AFTER, "runs [folder]", "what ran, where, and how it ended; --clean removes what never began"),
        (LOOK_AFTER, "doctor [run]", "what this machine, or a run directory, has and lacks, with fixes"),
    ]
    for heading in dict.fromkeys([*HEADINGS, *(row[0] for row in rows)]):
        yield heading
        yield from two_columns((stage, text) for under, stage, text in rows if under == heading)
        yield ""


def stage(name: str, words: Sequence[str] = ()) -> str:
    """Return the help of one stage.

    Args:
        name: The stage.
        words: Other words of the command: ``all`` shows everything; groups, options and keys show themselves.

    Raises:
        UserError: for an option that does not exist.
    """
    if ALL in words:
        return _text(_head(name), _options(name, words), _keys("Keys", selected.keys(name, words)), _foot(name))
    asked = list(_asked(name, words))
    if asked:
        return _text(_head(name), *asked, [_more(name)])
    groups = set(catalogue.groups()) - {"trainer", name}
    own = {key: entry for key, entry in catalogue.tree(name).items() if key.split(".")[0] not in groups}
    keys = dict(sorted(own.items(), key=lambda pair: (pair[0].startswith("trainer."), "." in pair[0])))
    return _text(_head(name), _choices(name), _keys("Keys", keys, short=True), [_more(name)], _foot(name))


def _text(*blocks: Sequence[str]) -> str:
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _head(name: str) -> list[str]:
    summary = catalogue.summary(catalogue.option_file("", name))
    directories = "<dir> … " if name in positional.KEYS else ""
    usage = f"ctxlab {name} {directories}[group=option …] [key=value …] [flags]"
    return [*wrapped(f"ctxlab {name}: {summary}"), "", usage]


def _more(name: str) -> str:
    example = "task=qa strategy=yarn" if "task" in _groups(name) else "tracking=wandb"
    return f"Keys of chosen options: ctxlab {name} {example} --help\nEvery option and key:   ctxlab {name} --help all"


def _foot(name: str) -> list[str]:
    examples = catalogue.examples(catalogue.option_file("", name))
    lines = [line for example in examples for line in command(example)]
    return ["Flags and settings of Hydra", *two_columns(FLAGS.items()), "", "Examples", *lines]


def _chosen(name: str, words: Sequence[str]) -> dict[str, str]:
    """Return group → the option chosen by the words, else by the stage."""
    found = dict(catalogue.defaults(catalogue.option_file("", name)))
    several = selected.options(words)
    for group, options in several.items():
        found |= dict(catalogue.defaults(catalogue.option_file(group, options[0]), group))
    return found | {group: options[0] for group, options in several.items()}


def _groups(name: str) -> Iterator[str]:
    ours = suggestions.stage_groups(name)
    settable = {*ours, selected.EXPERIMENT} if "task" in ours else set(ours)  # experiments are made of tasks
    return (group for group in catalogue.groups() if group in settable)


def _choices(name: str) -> list[str]:
    """List every group with its options, in a few lines."""
    chosen = _chosen(name, ())
    rows = []
    for group in _groups(name):
        options = (f"*{option}" if chosen.get(group) == option else option for option in catalogue.options(group))
        rows.append((f"+{group}" if group == selected.EXPERIMENT else group, ", ".join(options)))
    return ["Groups and their options (* default)", *two_columns(rows)]


def _options(name: str, words: Sequence[str]) -> list[str]:
    """List every group with its options, a line or two per option."""
    lines = ["Groups and their options (* chosen)"]
    for group in _groups(name):
        lines += _group(group, _chosen(name, words).get(group))
    return lines


def _group(group: str, chosen: str | None) -> list[str]:
    plus = "  (added with a plus: +experiment=…)" if group == selected.EXPERIMENT else ""
    rows = (
        (("*" if option == chosen else " ") + option, catalogue.summary(catalogue.option_file(group, option)))
        for option in catalogue.options(group)
    )
    return [f"  {group}{plus}", *two_columns(rows, indent=3)]


def _keys(title: str, keys: Mapping[str, catalogue.Key], *, short: bool = False) -> list[str]:
    """List keys, values and comments; ``short`` cuts each to one line."""
    rows = []
    for key, entry in keys.items():
        if entry.value and not _is_label(key):
            comment = shortened(entry.comment.split(";")[0], width() - COMMENT_COLUMN) if short else entry.comment
            rows.append((shortened(f"{key}={entry.value}", width() - 2), comment))
    return [title, *two_columns(rows, COMMENT_COLUMN)]


def _is_label(key: str) -> bool:
    """Return whether a key only names an option in tables."""
    return key.endswith(".name") and not key.startswith("data.")


def _asked(name: str, words: Sequence[str]) -> Iterator[list[str]]:
    """Describe what the words name: an option with its keys, a group with its options, or a key."""
    tree, chosen, groups = selected.keys(name, words), _chosen(name, words), list(_groups(name))
    for word in words:
        left, equals, right = word.lstrip("+").partition("=")
        if left in groups and equals and right:
            yield from _option(name, left, right, tree)
            parts = [f"{group}={chosen[group]}" for group in groups if group.startswith(f"{left}/") and group in chosen]
            if parts:
                part = parts[0].partition("=")[0]
                yield wrapped(f"Made of {', '.join(parts)}; other options of a part: ctxlab {name} {part} --help")
        elif left in groups:
            yield _group(left, chosen.get(left))
        elif left in tree:
            yield _keys("Keys", {key: entry for key, entry in tree.items() if _within(key, left)})


def _option(name: str, group: str, value: str, tree: Mapping[str, catalogue.Key]) -> Iterator[list[str]]:
    """Describe an option and its keys; several in a sweep one after the other."""
    named = selected.options([f"{group}={value}"]).get(group)
    if not named and group != "context":  # any number is a context
        found = suggestions.option(name, group, value)
        end = f"; {found.sentence()}" if found else suggestion(value, catalogue.options(group))
        raise UserError(f"{group}={value}: there is no {group} '{value}'{end}")
    for option in named or ():
        header = catalogue.header(catalogue.option_file(group, option))
        yield [f"{group}={option}", *(line for text in header for line in wrapped(text, 2))]
    keys = {key: entry for key, entry in tree.items() if _within(key, group.replace("/", "."))}
    if any(entry.value and not _is_label(key) for key, entry in keys.items()):
        yield _keys("Keys", keys)


def _within(key: str, place: str) -> bool:
    return key == place or key.startswith(f"{place}.")
