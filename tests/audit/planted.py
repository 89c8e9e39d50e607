"""For every check of an audit, a run with a planted effect and one without, of one seed; also for the bench."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ctxlab.audit.domain import Domain
from ctxlab.audit.groups import Groups
from ctxlab.audit.injection import Injection
from ctxlab.audit.position import Position
from ctxlab.audit.robustness import Robustness
from ctxlab.audit.swap import Swap
from ctxlab.audit.toxicity import Toxicity
from ctxlab.augment.case import Case
from ctxlab.augment.typos import Typos
from ctxlab.config import catalogue
from ctxlab.core.audit import Answers, Finding, Recorded
from ctxlab.core.types import Document, Prediction
from ctxlab.tasks.generation import Generation
from ctxlab.tasks.generative.base import GeneratedText
from tests.audit.simulated import LABELS, Answer, Simulated, against, documents, noisy

SENTENCES = catalogue.read(catalogue.option_file("audit", "injection"))["sentences"]
PRONOUNS = {"female": ("She", "her"), "male": ("He", "his")}
NUM_SENTENCES = 20


@dataclass(frozen=True)
class Planted:
    """What a check finds of a run with the effect that it looks for, and of one without, by seed."""

    effect: Callable[[int], Finding]
    clean: Callable[[int], Finding]


def with_pronouns(count: int, seed: int) -> list[Document]:
    """Texts with a pronoun of one gender, whose label is drawn."""
    draw = np.random.default_rng([seed, 2])
    found = []
    for index in range(count):
        he, his = PRONOUNS[sorted(PRONOUNS)[int(draw.integers(2))]]
        label = LABELS[int(draw.integers(2))]
        text = f"It rained on day {index} . {he} lost {his} case , and the judge said {label} ."
        found.append(Document(f"d{index}", {"text": text, "gold": (label,)}, ""))
    return found


def against_her(document: Document, draw: np.random.Generator) -> str:
    """As ``noisy(0.1)``, but nearly all texts about her get ``no``."""
    given = noisy(0.1)(document, draw)
    return "no" if "She" in document.fields["text"].split() and draw.random() < 0.9 else given


def with_evidence(count: int, seed: int) -> list[Document]:
    """Texts of twenty sentences of which the fifth says the answer."""
    found = []
    for index in range(count):
        label = LABELS[(index + seed) % 2]
        evidence = f"The answer of case {seed} {index} is {label} ."
        others = [f"Sentence number {n} says nothing ." for n in range(NUM_SENTENCES - 1)]
        text = " ".join([*others[:4], evidence, *others[4:]])
        start = text.index(evidence)
        probes = [{"start": start, "end": start + len(evidence), "distance": 0}]
        found.append(Document(f"d{index}", {"text": text, "gold": (label,), "probes": probes}, f"line {index}"))
    return found


def losing_the_end(document: Document, draw: np.random.Generator) -> str:
    """At chance where the evidence is in the last two fifths."""
    text = document.fields["text"]
    depth = text[: text.index("The answer of")].count(" .") / (NUM_SENTENCES - 1)
    return LABELS[int(draw.integers(2))] if depth > 0.6 else noisy(0.1)(document, draw)


def losing_capitals(document: Document, draw: np.random.Generator) -> str:
    """At chance where a text is in capitals."""
    is_large = document.fields["text"].isupper()
    return LABELS[int(draw.integers(2))] if is_large else noisy(0.1)(document, draw)


def obedient(document: Document, draw: np.random.Generator) -> str:
    """Does what an instruction says nine times in ten."""
    text, given = document.fields["text"], noisy(0.1)(document, draw)
    asked = next((label for label in LABELS if f"answer {label}." in text), None)
    return asked if asked is not None and draw.random() < 0.9 else given


class Writer(Simulated):
    """A run that writes an insult with some probability."""

    def __init__(self, count: int, probability: float, seed: int) -> None:
        super().__init__([Document(f"d{n}", {"prompt": f"Write {n}"}, "") for n in range(count)], noisy(0.0), seed)
        self.task, self.probability = Generation(), probability

    def answers(self, what: str, documents: Any) -> Answers:
        draw = np.random.default_rng([self.seed, 3])
        texts = ["You IDIOT!" if draw.random() < self.probability else "Dear reader," for _ in documents]
        predictions = [
            Prediction(document.id, GeneratedText(text, (text,), (0.0,), **_rest()), [True])
            for document, text in zip(documents, texts, strict=True)
        ]
        return Answers(documents, predictions, [])


def _rest() -> dict[str, Any]:
    """Fields of a generated text that the check does not read."""
    names = [name for name in GeneratedText.__dataclass_fields__ if name not in ("text", "pieces", "scores")]
    return {name: np.ones(3, np.bool_) if name == "seen" else None for name in names}


def _groups(seed: int, answer: Answer) -> Finding:
    return Groups(field="gender").check(Simulated(documents(160, seed), answer, seed))


def _swap(seed: int, answer: Answer) -> Finding:
    return Swap(["names_en"]).check(Simulated(documents(100, seed), answer, seed))


def _pronouns(seed: int, answer: Answer) -> Finding:
    return Swap(["pronouns_en"]).check(Simulated(with_pronouns(200, seed), answer, seed))


def _position(seed: int, answer: Answer) -> Finding:
    return Position().check(Simulated(with_evidence(40, seed), answer, seed))


def _robustness(seed: int, answer: Answer) -> Finding:
    perturb = {"case": Case(dose=1.0), "typos": Typos(dose=0.1)}
    return Robustness(perturb).check(Simulated(documents(60, seed), answer, seed))


def _domain(seed: int, noise: float) -> Finding:
    known = [replace(one, id=f"known {one.id}") for one in documents(100, seed + 1000)]
    run = Simulated(documents(100, seed), noisy(noise), seed)
    run.reference = Recorded("somewhere", "test", Simulated(known, noisy(0.1), seed + 1000).own().scores)
    return Domain().check(run)


def _injection(seed: int, answer: Answer) -> Finding:
    return Injection(SENTENCES).check(Simulated(documents(40, seed), answer, seed))


def _toxicity(seed: int, probability: float) -> Finding:
    return Toxicity().check(Writer(200, probability, seed))


CASES = {
    "groups": Planted(lambda seed: _groups(seed, against("female", 0.9)), lambda seed: _groups(seed, noisy(0.15))),
    "swap": Planted(lambda seed: _swap(seed, against("female", 0.9)), lambda seed: _swap(seed, noisy(0.2))),
    "swap of pronouns": Planted(lambda seed: _pronouns(seed, against_her), lambda seed: _pronouns(seed, noisy(0.2))),
    "position": Planted(lambda seed: _position(seed, losing_the_end), lambda seed: _position(seed, noisy(0.2))),
    "robustness": Planted(lambda seed: _robustness(seed, losing_capitals), lambda seed: _robustness(seed, noisy(0.15))),
    "domain": Planted(lambda seed: _domain(seed, 0.4), lambda seed: _domain(seed, 0.1)),
    "injection": Planted(lambda seed: _injection(seed, obedient), lambda seed: _injection(seed, noisy(0.15))),
    "toxicity": Planted(lambda seed: _toxicity(seed, 0.08), lambda seed: _toxicity(seed, 0.005)),
}
"""Check, and of what if that is not all of it → its runs."""
