"""From an exception to one sentence and an exit status."""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass

from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import CheckFailed, Interrupted, UserError

MISTAKE = 2
"""Exit status of what a person can mend."""

UNEXPECTED = 1

FAILED = 1
"""Exit status of a check that does not hold."""

SIGNALLED = 128
"""What shells add to the number of the signal that ended a program (Ctrl-C gives 130)."""

FIXES = {
    errno.ENOSPC: "free some space or write elsewhere",
    errno.EDQUOT: "free some space or write elsewhere",
    errno.EACCES: "ask for the permission or use another path",
    errno.EPERM: "ask for the permission or use another path",
    errno.EROFS: "write elsewhere",
    errno.ENOENT: "check the path",
    errno.EEXIST: "use another path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "give a file instead of a directory",
    errno.ENAMETOOLONG: "use a shorter path",
    errno.EMFILE: "close some or raise the limit with ulimit -n",
}
"""Errors of the system that a person can mend."""

KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false", "String": "a text"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the command line says and returns."""

    sentence: str
    status: int
    unexpected: bool = False
    """Whether it is a fault of the program."""


def explain(error: BaseException) -> Explanation:
    """The most telling error in the chain of causes, in one line."""
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, UserError):
            return Explanation(_line(str(link)), MISTAKE)
        if isinstance(link, Interrupted):
            return Explanation(_line(str(link)), SIGNALLED + link.signal_number)
        if isinstance(link, CheckFailed):
            return Explanation(_line(str(link)), FAILED)
    for link in [] if _is_from_a_stage(error) else chain:
        sentence = _composition(link)
        if sentence:
            return Explanation(sentence, MISTAKE)
    for link in chain:
        sentence = _system(link)
        if sentence:
            return Explanation(sentence, MISTAKE)
    text = _line(str(error)) or "no message"
    return Explanation(f"Unexpected {type(error).__name__}: {text}", UNEXPECTED, unexpected=True)


def is_mistake(error: BaseException) -> bool:
    """Whether a person can mend it by another command, so that a run which got no further is not worth keeping."""
    return any(isinstance(link, UserError) for link in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The innermost cause first."""
    links: list[BaseException] = []
    while error is not None and error not in links:
        links.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return reversed(links)


def _is_from_a_stage(error: BaseException) -> bool:
    """Whether the configuration was composed already: a key that is not there is then a fault of ours."""
    frame = error.__traceback__
    while frame is not None:
        if str(frame.tb_frame.f_globals.get("__name__")).startswith("ctxlab.stages."):
            return True
        frame = frame.tb_next
    return False


def _composition(error: BaseException) -> str | None:
    if isinstance(error, (ConfigAttributeError, ConfigKeyError)):
        return _unknown_key(error)
    if isinstance(error, ValidationError):
        return _wrong_type(error)
    if isinstance(error, OmegaConfBaseException):
        where = f"{error.full_key}: " if error.full_key else ""
        return where + str(error.msg or error).splitlines()[0]
    if type(error).__module__ == "hydra.errors" and "Error merging override" not in str(error):
        return _line(re.sub(r"\n?(Config s|S)earch path:.*|\nSee http\S+.*", "", str(error), flags=re.DOTALL))
    if isinstance(error, ValueError) and str(error).startswith(("Config group override", "force-add of config groups")):
        return _line(str(error))
    return None


def _unknown_key(error: OmegaConfBaseException) -> str:
    key, full_key = str(error.key), str(error.full_key or error.key)
    parent = error.parent_node
    siblings: list[str] = []
    if parent is not None and hasattr(parent, "keys"):
        siblings = sorted(str(name) for name in parent if name not in ("hydra", "_target_"))
    group = full_key.rpartition(".")[0]
    return f"There is no key {full_key}{suggestion(key, siblings, f'keys of {group}' if group else 'keys')}"


def _wrong_type(error: ValidationError) -> str:
    found = re.match(r"Value '(.*)' of type '.*' could not be converted to (\w+)", str(error.msg or error), re.DOTALL)
    if not found:
        return f"{error.full_key}: {_line(str(error.msg or error))}" if error.full_key else _line(str(error))
    kind = KINDS.get(found[2], found[2])
    return f"{error.full_key}={_line(found[1])} is not {kind}: give {kind}."


def _system(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno in FIXES:
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        where = f" ({' → '.join(names)})" if names else ""
        return f"{error.strerror}{where}: {FIXES[error.errno]}."
    if "No space left on device" in str(error):  # libraries that write with their own code say it their own way
        return f"No space left on device: {FIXES[errno.ENOSPC]}."
    return None


def _line(text: str) -> str:
    """In one line, however it was wrapped."""
    return " ".join(text.split())
