"""Turning an exception into one sentence and an exit status."""

import errno
import re
import signal
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from ctxlab.config.nearest import suggestion
from ctxlab.config.redact import masked
from ctxlab.core.errors import Alarmed, CheckFailed, Diverged, Interrupted, ProcessLost, Reported, UserError

MISTAKE = 2
"""Exit status of mistakes that the user can fix."""

UNEXPECTED = 1

FAILED = 1
"""Exit status of a failed check."""

DIVERGED = 3
"""Exit status of training whose numbers are not finite."""

ALARMED = 4
"""Exit status of a monitor that rings."""

SIGNALLED = 128
"""Added to the number of the signal that ended a program, as shells do (Ctrl-C gives 130)."""

TRY_AGAIN = 75
"""Exit status after SIGUSR1, by which a scheduler says that it will start the job again (``EX_TEMPFAIL`` of BSD)."""

FIXES = {
    errno.ENOSPC: "free some space or write elsewhere",
    errno.EDQUOT: "free some space or write elsewhere",
    errno.EFBIG: "raise the limit with ulimit -f, or write elsewhere",
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
"""System errors that the user can fix → how."""

HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that are not seen but change what is."""

LAUNCHERS = {"joblib": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit"}
"""Launchers of Hydra that are packages of their own → the extra that brings them."""

KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false", "String": "a text"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """The sentence that the command line prints and the status that it returns."""

    sentence: str
    status: int
    unexpected: bool = False
    """Whether it is a bug of the program."""


def explain(error: BaseException) -> Explanation:
    """Explain the most informative error in the chain of causes, in one line."""
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, UserError):
            return Explanation(_line(str(link)), MISTAKE)
        if isinstance(link, Interrupted):
            return Explanation("" if link.is_told else _line(str(link)), _signal_status(link.signal_number))
        if isinstance(link, Diverged):
            return Explanation(_line(str(link)), DIVERGED)
        if isinstance(link, Alarmed):
            return Explanation(_line(str(link)), ALARMED)
        if isinstance(link, (CheckFailed, ProcessLost)):
            return Explanation(_line(str(link)), FAILED)
        if isinstance(link, Reported):
            return Explanation("", link.status)
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


def _signal_status(number: int) -> int:
    return TRY_AGAIN if number == signal.SIGUSR1 else SIGNALLED + number


def is_mistake(error: BaseException) -> bool:
    """Return whether the user can fix it by another command, so that the empty run directory is not worth keeping."""
    return any(
        isinstance(link, UserError) or (isinstance(link, Reported) and link.status == MISTAKE) for link in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Return the chain of causes, innermost first."""
    links: list[BaseException] = []
    while error is not None and error not in links:
        links.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return reversed(links)


def _is_from_a_stage(error: BaseException) -> bool:
    """Return whether a stage was running: a missing key is then a bug, not a mistake in the configuration."""
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
    launcher = re.search(r"Could not find 'hydra/launcher/(\w+)'", str(error))
    if launcher and launcher[1] in LAUNCHERS:
        return f"hydra/launcher={launcher[1]} is not installed: pip install 'ctxlab[{LAUNCHERS[launcher[1]]}]'."
    if type(error).__module__ == "hydra.errors" and "Error merging override" not in str(error):
        return _line(re.sub(r"\n?(Config s|S)earch path:.*|\nSee http\S+.*", "", str(error), flags=re.DOTALL))
    if isinstance(error, ValueError) and str(error).startswith("Unable to configure "):  # by Python's logging
        return (
            f"hydra.job_logging or hydra.hydra_logging is wrong: {_line(str(error))[0].lower()}{_line(str(error))[1:]}."
        )
    if isinstance(error, ValueError) and str(error).startswith("Exceeds the limit"):
        return f"A number of the configuration has thousands of digits: {_line(str(error)).split(';')[0]}."
    if isinstance(error, RecursionError):
        return "The configuration contains itself, or is nested too deep: write it without a YAML anchor inside itself."
    if isinstance(error, yaml.YAMLError):
        return _not_yaml(error)
    if isinstance(error, ValueError) and str(error).startswith(("Config group override", "force-add of config groups")):
        return _line(str(error))
    return None


def _not_yaml(error: yaml.YAMLError) -> str:
    """Return the place and the reason; tags such as ``!!python/object`` are not known either, and not obeyed."""
    mark = getattr(error, "problem_mark", None)
    where = f"{mark.name} line {mark.line + 1}" if mark is not None else "A file of the configuration"
    return f"{where} is not YAML that can be read ({_line(str(getattr(error, 'problem', None) or error))}): correct it."


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
    if isinstance(error, ValueError) and "embedded null byte" in str(error):
        return "A path contains the character NUL, which no name has: leave it out."
    if "No space left on device" in str(error):  # libraries with I/O code of their own raise other errors
        return f"No space left on device: {FIXES[errno.ENOSPC]}."
    return None


def _line(text: str) -> str:
    """Join the lines of a text, without secrets, and with what would command a terminal or turn a line written out."""
    joined = masked(" ".join(text.split()))
    return joined if joined.isprintable() else "".join(map(_shown, joined))


def _shown(letter: str) -> str:
    return letter if letter.isprintable() or unicodedata.category(letter) not in HIDDEN else ascii(letter)[1:-1]
