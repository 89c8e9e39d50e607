"""What ``ctxlab ask`` prints and writes: an answer with its place, one a line in ``answers.jsonl``."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ctxlab.config.keys.working import AskOptions
from ctxlab.core.errors import UserError
from ctxlab.core.files import write_text
from ctxlab.core.paths import check_output
from ctxlab.text.units import squeezed
from ctxlab.tracking.console import ProgressDisplay, console, say
from ctxlab.workbench.asking.library import read_questions
from ctxlab.workbench.asking.session import Session, Told, open_session
from ctxlab.workbench.parts import Parts

NOT_FOUND = "not in the documents"

FILE = "answers.jsonl"

PROMPT = "question> "


def ask(parts: Parts) -> None:
    """Answer the question, those of a file, or those that are typed.

    Raises:
        UserError: There is no question, or something does not fit; nothing is written then.
    """
    options: AskOptions = parts.options
    asked = _questions(options)
    output = check_output(options.output, overwrite=options.overwrite) if options.output else None
    session = open_session(parts)
    screen = console()
    told = _typed(session, screen) if asked is None else _answered(session, asked)
    if asked is not None and options.questions is None:
        _show(screen, told[0])
    path = output or parts.origin.run_dir / FILE
    write_text(path, "".join(json.dumps(one.line(), ensure_ascii=False) + "\n" for one in told))
    _conclude(screen, session, told, path)


def _questions(options: AskOptions) -> list[tuple[str, str]] | None:
    """Return id and text of the questions; None where they are typed.

    Raises:
        UserError: There are none, or two sources.
    """
    if options.question is not None and options.questions is not None:
        raise UserError("question= and questions= are both given: use one of them.")
    if options.questions is not None:
        return read_questions(options.questions)
    if options.question is not None:
        if not options.question.strip():
            raise UserError("question= is empty: give a question.")
        return [("1", options.question)]
    if sys.stdin.isatty():
        return None
    raise UserError("There is no question: give question=…, or questions=<file of JSON lines>.")


def _answered(session: Session, asked: Sequence[tuple[str, str]]) -> list[Told]:
    session.check(asked)
    found: list[Told] = []
    with ProgressDisplay("ask") as display:
        for one in session.answers(asked):
            found.append(one)
            display.update(len(found) / len(asked), f"{len(found):,} questions")
    return found


def _typed(session: Session, screen: Console) -> list[Told]:
    """Answer questions as they are typed, until an empty line or the end of the input."""
    found: list[Told] = []
    manuals = len(session.library.manuals)
    say(screen, f"{manuals:,} documents, {len(session.library.passages):,} passages; an empty line ends.")
    while True:
        try:
            question = input(PROMPT).strip()
        except EOFError:
            return found
        if not question:
            return found
        try:
            (told,) = session.answers([(str(len(found) + 1), question)])
        except UserError as error:
            say(screen, str(error))
            continue
        found.append(told)
        _show(screen, told)


def _show(screen: Console, told: Told) -> None:
    score = "" if told.score is None else f", score {told.score:.2f}"
    if not told.is_found:
        say(screen, f"{NOT_FOUND}{score}; read {told.share_read:.1%} of the text")
        return
    where = told.document if told.start is None else f"{told.document}, characters {told.start:,}–{told.end:,}"
    say(screen, told.answer)
    say(screen, f"  {squeezed(told.support)}")
    say(screen, f"  {where}{score}; read {told.share_read:.1%} of the text")


def _conclude(screen: Console, session: Session, told: Sequence[Told], path: Path) -> None:
    if not told:
        return
    found = sum(one.is_found for one in told)
    read = sum(one.share_read for one in told) / len(told)
    for note in dict.fromkeys(session.bench.task.notes):
        say(screen, f"note: {note}")
    say(
        screen,
        f"{found:,} of {len(told):,} answered from {len(session.library.manuals):,} documents, of which {read:.1%} was "
        f"read for a question on average → {path}",
    )
