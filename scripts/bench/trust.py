"""What can be trusted of a run at work: alarms, privacy, explanations and audits, against what is known of each.

Streams, personal data and audited runs are invented, so that what must be found is known. Explanations are those of a
tiny classifier whose documents say which sentence decides, of one at chance, and of a name tagger that is trained for
some minutes, or given by ``CTXLAB_BENCH_RUN=<run directory>``.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from scipy.stats import binom

from ctxlab.audit.measures.newcombe import wilson
from ctxlab.cli import main
from ctxlab.core.audit import Verdict
from ctxlab.data.sources.generated import Generated
from ctxlab.privacy.finding.known import KINDS, found
from scripts.bench import watching
from scripts.bench.judges import enumeration_error, write_judgements
from scripts.bench.leaking import across_windows, canaries
from scripts.bench.timing import ctxlab, row
from tests.audit.planted import CASES
from tests.privacy.invented import document

CLEAN, PLANTED = 60, 40
"""Seeds of runs without and with an effect for each check of an audit."""

MOST = int(binom.ppf(0.975, CLEAN, 0.05))
"""Clean runs in which a check that is found in 5 % of them finds something in nearly all tries."""

TEXTS = 200
"""Texts of forty pieces of personal data each."""

TASKS, DOCUMENTS = ("ner", "classification", "qa", "lm"), 15
"""Generated corpora that have nothing personal, and documents of each."""

MECHANISMS = {
    "gradient": (), "integrated": (), "occlusion": ("explanation.unit=sentence",), "shapley": (), "rollout": (),
}  # fmt: skip
"""``explanation=`` → its keys."""

TINY = (
    "task=classification", "model=tiny_bert", "model.vocabulary=letters", "model.dropout=0", "strategy=chunk",
    "context=256", "optimizer.lr=2e-3", "trainer.tokens_per_step=1024", "tracking=none",
    "trainer.precision=fp32",
)  # fmt: skip

NAMES = (
    "+experiment=ner_context", "context=256", "strategy=chunk", "data.words_per_document=50",
    "data.evidence_distance=[20]", "trainer.max_tokens=240000", "trainer.precision=fp32", "tracking=none",
)  # fmt: skip
"""A tagger for which a sentence 20 words away says what a name is."""


def measure(_: Path) -> list[dict[str, Any]]:
    """Return the figures of watching, privacy, explanations and audits."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_judgements(folder)
        _train(folder, "reads", "judged", 300)
        _train(folder, "chance", "drawn", 5)
        return [
            *watching.drift(), *watching.weekly(),
            *_privacy(), *across_windows(folder / "reads"), *canaries(folder / "reads", folder / "server"),
            *watching.privacy(),
            *_explanations(folder), *_names(folder),
            *_audits(),
        ]  # fmt: skip


def share(what: str, count: int, total: int, **target: float) -> dict[str, Any]:
    """Return a row with a share, its 95 % interval, and of how many."""
    low, high = wilson(count, total)
    return row(f"{what} [{low:.2f}, {high:.2f}] of {total:,}", count / total, **target)


def _run(*words: str) -> None:
    with redirect_stdout(sys.stderr):
        status = main([*words, "tracking=none"])
    if status:
        raise RuntimeError(f"ctxlab {' '.join(words)} ended with status {status}.")


def _train(folder: Path, name: str, labels: str, steps: int) -> None:
    files = [f"data.{split}_file={folder / f'{labels}-{split}.jsonl'}" for split in ("train", "validation", "test")]
    _run("train", *TINY, *files, f"trainer.max_steps={steps}", f"hydra.run.dir={folder / name}")


def _privacy() -> Iterator[dict[str, Any]]:
    texts = [document(1_000 + seed) for seed in range(TEXTS)]
    planted = sum(len(places) for _, places in texts)
    hit = 0
    for text, places in texts:
        at = {(one.kind, one.start, one.end) for one in found(text, tuple(KINDS))}
        hit += sum(place in at for place in places)
    yield share("privacy=patterns: recall of planted data of six kinds", hit, planted, at_least=1.0)
    words = false = 0
    for task in TASKS:
        for record in Generated(documents=DOCUMENTS).load(task, "train", 3) or []:
            text = " ".join(record.fields.get("tokens") or []) or str(
                record.fields.get("text", record.fields.get("context"))
            )
            words, false = words + len(text.split()), false + len(found(text, tuple(KINDS)))
    yield row(f"… false hits in 10,000 words, of {words:,}", false / words * 10_000, at_most=1)


def _explained(folder: Path, run: Path, name: str, *more: str) -> dict[str, Any]:
    out = folder / f"explain-{run.name}-{name}-{len(list(folder.iterdir()))}"
    _run("explain", f"run={run}", f"explanation={name}", *MECHANISMS[name], *more, f"hydra.run.dir={out}")
    content: dict[str, Any] = json.loads((out / "explain.json").read_text())
    return content


def _explanations(folder: Path) -> Iterator[dict[str, Any]]:
    what = "explanation=shapley: largest difference from enumeration, ten random games"
    yield row(what, enumeration_error(), at_most=1e-9)
    for name in MECHANISMS:
        reads = _explained(folder, folder / "reads", name, "documents=40", "checks=8")
        yield from _by_distance(name, reads)
        yield from _checked(name, reads)
        chance = _explained(folder, folder / "chance", name, "documents=40", "checks=0")
        own, said = chance["evidence"], chance["checks"]["known evidence"]["detail"]
        what = f"… {name}, a model at chance: on top {_ends(own)}, chance {own['chance']:.2f}"
        yield row(f"{what}; at chance, said so: {'yes' if 'at chance' in said else 'no'}", own["on_top"])


def _by_distance(name: str, data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in data["tables"]["evidence"]:
        place = one["words to the evidence"]
        what = f"{name}: evidence on top, {place} words away {_ends(one)}"
        what += f", {one['cases']} cases, chance {one['chance']:.2f}"
        least = 0.6 if place == "all" and name != "rollout" else None  # rollout is not about the answer
        yield row(what, one["on top"], at_least=least)


def _ends(one: dict[str, Any]) -> str:
    return f"[{one['low']:.2f}, {one['high']:.2f}]"


def _checked(name: str, data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "completeness_error" in data:
        own = data["completeness_error"]
        what = f"… {name}: explanations that add up to within 5 % (mean error {own['mean']:.1%})"
        yield share(what, own["cases"] - own["above"], own["cases"], at_least=0.9)
    if "deletion" in data:
        own = data["deletion"]
        passed = {True: "holds", False: "fails", None: "no interval"}[data["checks"]["deletion"]["passed"]]
        what = f"… {name}: nats that deletion lowers the score more than a random order {_ends(own)}: {passed}"
        yield row(what, own["gain"])
    if "random_weights" in data:
        own = data["random_weights"]
        yield row(f"… {name}: rank correlation with random weights {_ends(own)}", own["rank_correlation"], at_most=0.5)


def _names(folder: Path) -> Iterator[dict[str, Any]]:
    given = os.environ.get("CTXLAB_BENCH_RUN")
    run = Path(given).absolute() if given else folder / "names"
    if not given:
        ctxlab("train", *NAMES, f"hydra.run.dir={run}")
    score = json.loads((run / "result.json").read_text())["metrics"]["test"]["f1"]
    yield row("name tagger: F1 (chance of a type 0.25)", score)
    outside = _explained(folder, run, "gradient", "context=24", "documents=4", "targets=4", "checks=0")[
        "outside_of_reach"
    ]
    what = f"largest attribution outside of the reach of windows of 24 tokens, of {outside['units']:,} tokens"
    yield row(what, float(outside["largest"]), at_most=0)
    data = _explained(folder, run, "occlusion", "documents=20", "targets=3", "checks=0")
    for one in _by_distance("occlusion", data):
        yield row(f"name tagger, {one['what']}", one["measured"])


def _audits() -> Iterator[dict[str, Any]]:
    for name, case in CASES.items():
        counts = [_count(check, seeds) for check, seeds in ((case.effect, PLANTED), (case.clean, CLEAN))]
        yield share(f"audit={name}: planted effect found", counts[0], PLANTED, at_least=0.95)
        yield share("… found where there is none", counts[1], CLEAN, at_most=MOST / CLEAN)


def _count(check: Any, seeds: int) -> int:
    verdicts: Sequence[Verdict] = [check(seed).verdict for seed in range(5_000, 5_000 + seeds)]
    return sum(one is Verdict.FOUND for one in verdicts)
