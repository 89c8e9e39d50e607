"""Separating Hydra's flags from overrides, so that both may be written in any order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ctxlab.command import selected, suggestions
from ctxlab.config.nearest import nearest, suggestion
from ctxlab.core.errors import UserError

SWITCHES = {
    "--help": "-h", "--hydra-help": "", "--version": "", "--resolve": "", "--run": "-r", "--multirun": "-m",
    "--shell-completion": "-sc",
}  # fmt: skip
"""Flags without a value → their short forms."""

VALUED = {
    "--cfg": "-c", "--package": "-p", "--config-path": "-cp", "--config-name": "-cn", "--config-dir": "-cd",
    "--experimental-rerun": "", "--info": "-i",
}  # fmt: skip
"""Flags with a value."""

CFG_PARTS = ("job", "hydra", "all")
"""Values of ``--cfg``."""

COMMANDS = {"--run", "--multirun", "--cfg", "--info"}
"""Flags of which Hydra accepts at most one."""

INFO_TOPICS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
"""Values of ``--info``, the only flag whose value may be left out."""

REFUSED = {
    "--config-path": "the stages have their own configuration: name a folder of further options with --config-dir",
    "--experimental-rerun": "it would load a pickle, which may run code: repeat the overrides of the run instead",
    "--config-name": "the stage determines the configuration",
    "--shell-completion": 'write eval "$(ctxlab completion bash)" instead',
}

LONG = {short or name: name for name, short in (SWITCHES | VALUED).items()}
"""Short form, where there is one, → long form."""


@dataclass(slots=True)
class Arguments:
    """Flags and overrides of a command line."""

    flags: list[str] = field(default_factory=list)
    """Hydra's flags with their values."""
    names: set[str] = field(default_factory=set)
    """Long names of the flags."""
    overrides: list[str] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """Return the values of a flag, by its long name."""
        return [value for flag, value in pairwise(self.flags) if flag == name]


def split(words: Sequence[str], stage: str = "train") -> Arguments:
    """Separate flags from overrides.

    Args:
        words: Words after the stage.
        stage: Name of the stage, for messages.

    Raises:
        UserError: for a flag that is unknown, lacks its value, is refused or conflicts with another.
    """
    found = Arguments()
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word.startswith("-"):
            _check_flag(word, queue, stage)
            _take_flag(word, queue, found)
        else:
            found.overrides.append(word)
    _check_together(found.names)
    return found


def _check_together(names: set[str]) -> None:
    commands = sorted(names & COMMANDS)
    if len(commands) > 1:
        raise UserError(f"{' and '.join(commands)} exclude each other: give one of them.")
    if "--resolve" in names and "--cfg" not in names:
        raise UserError("--resolve needs --cfg, as in --cfg job --resolve.")


def _check_flag(word: str, queue: Sequence[str], stage: str) -> None:
    """Refuse an unknown flag; for a key or group with dashes, suggest its form without dashes."""
    text, equals, value = word.partition("=")
    if LONG.get(text, text) in SWITCHES | VALUED:
        return
    if word == "--":
        raise UserError(
            f"-- is not needed: write the overrides directly after the stage, as in ctxlab {stage} context=4096."
        )
    names = [name for name in LONG.values() if name not in REFUSED]
    if not nearest(text, names, suggestions.GOOD):
        apart = not equals and queue and "=" not in queue[0] and not queue[0].startswith("-")
        value = value if equals else queue[0] if apart else "…"
        form = suggestions.dashed(stage, text, value, selected.keys(stage, []))
        if form:
            said = f"{word} {value}" if apart else word
            raise UserError(f"{said} is not a flag: write {form}, without dashes.")
    raise UserError(f"{word} is not a flag{suggestion(word, names, 'flags')}")


def _take_flag(word: str, queue: list[str], found: Arguments) -> None:
    text, _, value = word.partition("=")
    name = LONG.get(text, text)
    if name in REFUSED:
        raise UserError(f"{word} is refused: {REFUSED[name]}.")
    found.names.add(name)
    found.flags.append(name)
    if name in VALUED:
        _take_value(name, value, queue, found)


def _take_value(name: str, value: str, queue: list[str], found: Arguments) -> None:
    if value:
        found.flags.append(value)
    elif name == "--info":
        if queue and queue[0] in INFO_TOPICS:
            found.flags.append(queue.pop(0))
        else:
            found.flags.append("all")
    elif queue and not queue[0].startswith("-"):
        found.flags.append(queue.pop(0))
    else:
        raise UserError(f"{name} needs a value, such as --cfg job.")
    if name == "--cfg" and found.flags[-1] not in CFG_PARTS:
        raise UserError(f"--cfg {found.flags[-1]} is not known: use {', '.join(CFG_PARTS[:-1])} or {CFG_PARTS[-1]}.")
