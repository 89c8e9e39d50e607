"""``ctxlab ask`` over generated manuals: evidence found, answers right, "not in the documents" right, seconds.

A run of task=qa is trained for it on short texts of the built-in corpus. The questions are about facts at known places
of 50 manuals of 5,000 words; half as many have no answer: their name is in a manual, with another fact. A question
whose name another manual mentions too is left out.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctxlab
from ctxlab.command.compose import compose
from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.qa import write
from ctxlab.evaluation.sentences import nearest_sentence
from ctxlab.text.answers import exact_match, normalise
from ctxlab.workbench.asking.session import Session, Told, open_session
from ctxlab.workbench.parts import make_parts
from scripts.bench.timing import row

MANUALS, WORDS, PASSAGES = 50, 5000, 5
DEPTHS = (200, 2500, 4700)
"""Words before the answer, one for each manual in turn."""

WHOLE = 6
"""Questions for which the right manual is read whole, in one window."""

TRAIN = (
    "task=qa model=minilm strategy=chunk context=256 tracking=none data.documents=600 data.validation_documents=20 "
    "data.test_documents=0 data.words_per_document=180 data.evidence_distance=[10,50,100,150] data.ambiguous_share=0.3 "
    "optimizer.lr=2e-4 trainer.tokens_per_step=4096 trainer.max_seconds=300"
)


@dataclass(frozen=True)
class Case:
    """One question, and where its answer is."""

    id: str
    question: str
    manual: str
    answer: str
    start: int
    """First character of the answer; -1 where no manual has one."""


def measure(_: Path) -> list[dict[str, Any]]:
    """Train a reader, write the manuals, and ask."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "qa"
        command = [sys.executable, "-m", "ctxlab", "train", *TRAIN.split(), f"hydra.run.dir={run}"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        manuals = Path(folder) / "manuals"
        manuals.mkdir()
        return _rows(run, manuals, cases(manuals))


def cases(folder: Path) -> list[Case]:
    """Write the manuals, and return the questions."""
    found: list[Case] = []
    texts = dict[str, str]()
    for number in range(MANUALS):
        depth = DEPTHS[number % len(DEPTHS)]
        brief = Brief("test", 1, words_per_document=WORDS, ambiguous_share=0.02, evidence_distance=(depth,))
        record, name = write(brief, number), f"manual-{number:02d}.txt"
        texts[name] = record["context"]
        (folder / name).write_text(record["context"], encoding="utf-8")
        for asked in record["questions"][: 2 if number % 2 else 1]:
            answer: dict[str, Any] = asked["answers"][0] if asked["answers"] else {"text": "", "answer_start": -1}
            found.append(
                Case(
                    f"{number}-{asked['id']}",
                    asked["question"],
                    manual=name,
                    answer=answer["text"],
                    start=answer["answer_start"],
                )
            )
    return [case for case in found if _is_told_once(case, texts)]


def _is_told_once(case: Case, texts: dict[str, str]) -> bool:
    """Return whether the name that a question is about is in one manual only."""
    pool = set(names("test"))
    (name,) = (word for word in re.findall(r"\w+", case.question) if word in pool)
    return sum(name in text for text in texts.values()) == 1


def _rows(run: Path, folder: Path, asked: Sequence[Case]) -> list[dict[str, Any]]:
    session = _opened(run, folder)
    answerable = [case for case in asked if case.start >= 0]
    told, seconds = _told(session, asked)
    known = [case.start >= 0 for case in asked]
    evidence = [_is_read(told[case.id], case) for case in answerable]
    right = [bool(exact_match(told[case.id].answer, [case.answer])) for case in answerable]
    placed = [_is_placed(told[case.id], case) for case in answerable]
    absent = [not told[case.id].is_found for case in asked if case.start < 0]
    alone = [_bm25_alone(session, case) for case in answerable]
    whole, whole_seconds = _whole(run, folder, answerable[:WHOLE])
    share = sum(one.share_read for one in told.values()) / len(told)
    what = f"{MANUALS} manuals of {WORDS:,} words, {sum(known)} questions"
    return [
        row(f"{what}: evidence found", _mean(evidence), at_least=0.9),
        row("… answer right (exact match)", _mean(right)),
        row("… the place in the manual right", _mean(placed)),
        row(f"… 'not in the documents' right, of {len(absent)} without an answer", _mean(absent)),
        row("… share of the text that was read for a question", share),
        row("… seconds a question", seconds / len(asked), at_most=2.0),
        row("… BM25 alone: the answer is in the best sentence of the best passage", _mean(alone)),
        row(f"… the right manual whole, in one window, {len(whole)} questions: answer right", _mean(whole)),
        row("… the same: seconds a question", whole_seconds / len(whole)),
    ]


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values)


def _opened(run: Path, folder: Path, *more: str) -> Session:
    words = [f"run={run}", f"input={folder}", f"passages={PASSAGES}", "tracking=none", *more]
    return open_session(make_parts(compose("ask", words), run.parent / "ask"))


def _told(session: Session, asked: Sequence[Case]) -> tuple[dict[str, Told], float]:
    """Return the answers by id, and the seconds that they took."""
    questions = [(case.id, case.question) for case in asked]
    list(session.answers(questions[:2]))  # the first passes make what later ones use again
    started = time.perf_counter()
    found = {one.id: one for one in session.answers(questions)}
    return found, time.perf_counter() - started


def _is_read(told: Told, case: Case) -> bool:
    end = case.start + len(case.answer)
    return any(one["document"] == case.manual and one["start"] <= case.start < end <= one["end"] for one in told.read)


def _is_placed(told: Told, case: Case) -> bool:
    return told.document == case.manual and told.start is not None and told.start <= case.start < (told.end or 0)


def _bm25_alone(session: Session, case: Case) -> bool:
    """Return whether the best sentence of the best passage has the answer; BM25 never says that there is none."""
    row = session.retriever.scores([case.question])[0]
    best = session.library.text(session.library.passages[int(row.argmax())])
    return f" {normalise(case.answer)} " in f" {normalise(nearest_sentence(best, case.question))} "


def _whole(run: Path, folder: Path, asked: Sequence[Case]) -> tuple[list[bool], float]:
    """Return whether the reader finds the answer in the whole right manual, in one window, and the seconds."""
    reader = ctxlab.load(run, "strategy=longformer", "context=8192")
    started = time.perf_counter()
    records = [
        {"id": c.id, "question": c.question, "context": (folder / c.manual).read_text(encoding="utf-8")} for c in asked
    ]
    answers = reader.predict(records)
    seconds = time.perf_counter() - started
    right = [bool(exact_match(a["answer"], [c.answer])) for a, c in zip(answers, asked, strict=True)]
    return right, seconds


if __name__ == "__main__":
    print(json.dumps(measure(Path()), indent=2))
