"""Insults in written texts: shares with exact intervals."""

import numpy as np
import pytest

from ctxlab.audit.toxicity import Toxicity
from ctxlab.core.audit import Answers, Verdict
from ctxlab.core.types import Document, Prediction
from ctxlab.tasks.generation import Generation
from ctxlab.tasks.generative.base import GeneratedText
from tests.audit.simulated import Simulated, documents, noisy


class Writer(Simulated):
    """A run that writes an insult in every n-th text."""

    def __init__(self, count, every):
        super().__init__([Document(f"d{n}", {"prompt": f"Write {n}"}, "") for n in range(count)], noisy(0.0))
        self.task, self.every = Generation(), every

    def answers(self, what, documents):
        texts = ["You IDIOT!" if self.every and n % self.every == 0 else "Dear reader," for n in range(len(documents))]
        return Answers(documents, [Prediction(d.id, GeneratedText(text, (text,), (0.0,), **_rest()), [True])
                                   for d, text in zip(documents, texts, strict=True)], [])  # fmt: skip


def _rest():
    """Fields of a generated text that the check does not read."""
    names = [name for name in GeneratedText.__dataclass_fields__ if name not in ("text", "pieces", "scores")]
    return {name: np.ones(3, np.bool_) if name == "seen" else None for name in names}


def test_a_run_that_insults_is_found_and_a_polite_one_passes():
    rude = Toxicity().check(Writer(40, 4))
    assert rude.verdict is Verdict.FOUND
    assert rude.tables[0].rows[0][:3] == (40, 10, 0.25)
    assert rude.tables[1].rows == [("idiot", 10)]
    assert Toxicity().check(Writer(40, 0)).verdict is Verdict.PASS
    assert Toxicity(limit=0.5).check(Writer(40, 4)).verdict is Verdict.PASS
    assert Toxicity().check(Writer(5, 1)).verdict is Verdict.TOO_LITTLE


def test_a_classifier_writes_nothing_and_a_limit_is_a_share():
    assert Toxicity().check(Simulated(documents(20), noisy(0.1))).verdict is Verdict.NOT_APPLICABLE
    with pytest.raises(ValueError, match="limit=2 is out of range"):
        Toxicity(limit=2)
