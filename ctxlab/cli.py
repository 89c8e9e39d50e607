"""Entry point of ``ctxlab <stage> [overrides]``: runs a command line and returns its exit status."""

import os
import sys
import traceback
from collections.abc import Sequence

from ctxlab.command import completion, help, screen
from ctxlab.config import catalogue
from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import Interrupted, UserError

TRACEBACK = "CTXLAB_TRACEBACK"
"""Environment variable that shows tracebacks if it is 1."""

HELP_FLAGS = ("-h", "--help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    The status is 0, 1 for an unexpected error or a failed check, 2 for a mistake of the user, 3 for training that
    diverged, 130, 143 or 75 after Ctrl-C, SIGTERM or SIGUSR1.

    Args:
        argv: Words after the program's name; None for those of the process.
    """
    with screen.forgiving():
        return _run(list(sys.argv[1:] if argv is None else argv))


def _run(words: list[str]) -> int:
    try:
        return _dispatch(words)
    except UserError as error:
        return _report(error)
    except BrokenPipeError:  # the reader of the pipe has closed it
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  (kept open: the interpreter flushes it at its end)
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return 130
    except (Exception, Interrupted) as error:
        return _report(error)


def _dispatch(words: list[str]) -> int:
    first, rest = (words[0], words[1:]) if words else ("--help", [])
    if first in (*HELP_FLAGS, "help"):
        return _help(rest)
    if first == "--version":
        return _print(f"{help.version()}\n")
    if any(word in HELP_FLAGS for word in rest):
        return _help([first, *(word for word in rest if word not in HELP_FLAGS)])
    if first == "completion":
        return _completion(rest)
    if first == "strategies":
        return _strategies(rest)
    if first == "runs":
        from ctxlab.command import runs

        return runs.run(rest)
    if first == "doctor":
        from ctxlab.command import doctor

        return doctor.run(rest)
    _check_stage(first)
    from ctxlab.command.launch import launch  # with Hydra, which help and completion do without

    return launch(first, rest)


def _help(words: list[str]) -> int:
    """Print help for ctxlab, or for the stage or command that the first word names."""
    words = [word for word in words if not word.startswith("-")]
    if not words or words[0] == help.ALL:
        return _print(help.overview())
    if words[0] in help.COMMANDS:
        return _print(help.COMMANDS[words[0]])
    _check_stage(words[0])
    return _print(help.stage(words[0], words[1:]))


def _completion(words: list[str]) -> int:
    if words[:1] == ["query"]:
        return _print("".join(f"{reply}\n" for reply in completion.query(" ".join(words[1:]))))
    if len(words) != 1:
        raise UserError(f"ctxlab completion needs the name of a shell: {' or '.join(completion.SCRIPTS)}.")
    return _print(completion.script(words[0]))


def _strategies(words: list[str]) -> int:
    from ctxlab.command import strategies  # imported here: help and completion do not need it

    if words == ["--markdown"]:
        return _print(strategies.page())
    if any(word.startswith("-") for word in words):
        raise UserError(f"ctxlab strategies has one flag, --markdown, and got {' '.join(words)}.")
    return _print(strategies.of(words) if words else strategies.listing())


def _check_stage(word: str) -> None:
    stages = catalogue.stages()
    if word in stages:
        return
    if word.startswith("-"):
        raise UserError(f"{word} is not a flag of ctxlab{suggestion(word, ['--help', '--version'], 'flags')}")
    if "=" in word:
        raise UserError(f"Write the stage before '{word}', as in ctxlab train {word}; stages: {', '.join(stages)}.")
    commands = [*stages, *completion.COMMANDS]
    raise UserError(f"There is no stage '{word}'{suggestion(word, commands, 'stages and commands')}")


def _print(text: str) -> int:
    sys.stdout.write(text)
    sys.stdout.flush()
    return 0


def _report(error: BaseException) -> int:
    """Print one line that says what went wrong."""
    from ctxlab.command.explain import explain

    wanted = os.environ.get(TRACEBACK) == "1"
    if wanted:
        traceback.print_exception(error)
    explanation = explain(error)
    hint = f" ({TRACEBACK}=1 shows the traceback.)" if explanation.unexpected and not wanted else ""
    if explanation.sentence:
        sys.stderr.write(f"{explanation.sentence}{hint}\n")
    return explanation.status


if __name__ == "__main__":
    sys.exit(main())
