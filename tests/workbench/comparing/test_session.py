"""What a comparison decides before and while its cells run."""

import signal
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from ctxlab.command.explain import explain
from ctxlab.core.errors import Interrupted, UserError
from ctxlab.workbench.comparing import running, session
from ctxlab.workbench.corpus import Corpus
from tests.workbench.comparing.test_running import KEYS, cell_plan


def test_a_signal_ends_in_a_sentence_that_says_how_to_go_on(tmp_path, monkeypatch):
    def stopped(*_: Any) -> None:
        raise Interrupted(signal.SIGTERM, "Stopped")

    monkeypatch.setattr(running, "run", stopped)
    cells = cell_plan(tmp_path)
    with pytest.raises(Interrupted) as caught:
        session.train(SimpleNamespace(plan=cells, progress=running.Progress(dict.fromkeys(KEYS, 1.0))))
    found = explain(caught.value)
    assert found.status == 128 + signal.SIGTERM
    assert found.sentence == f"Stopped with 0 of 6 cells done; continue with `ctxlab compare resume={tmp_path}`."


@dataclass
class Options:
    trials: int = 1


def folds(num_validation: int, num_test: int, *, trials: int = 1, every: int | None = None, given: Any = None) -> Any:
    parts = SimpleNamespace(hold_out=given, trainer=SimpleNamespace(eval_every_steps=every))
    corpus = Corpus({"train": [], "validation": [None] * num_validation, "test": [None] * num_test}, None)
    return session._num_folds(parts, Options(trials), corpus)


def test_documents_that_choose_are_never_those_that_are_reported():
    assert folds(8, 8, trials=3, every=10) is None  # the test split is reported, and chooses nothing
    assert folds(8, 0) is None  # nothing is chosen
    assert folds(8, 0, trials=3) == folds(8, 0, every=10) == 4
    assert folds(3, 0, trials=3) == 3
    assert folds(8, 8, given=SimpleNamespace(num_folds=5)) == 5
    with pytest.raises(UserError, match="cannot be used both for selection and for the score"):
        folds(1, 0, trials=3)
    with pytest.raises(UserError, match="no documents to score"):
        folds(0, 0)


def test_a_baseline_that_is_another_computation_by_another_name_is_that_one_and_one_that_cannot_run_says_why():
    checked = [
        SimpleNamespace(candidate=SimpleNamespace(key=key, title=title), refused=refused, same_as=same_as)
        for key, title, refused, same_as in [
            ("chunk-400", "chunk at 400", "", ""),
            ("chunk-1000", "chunk at 1,000", "", "chunk at 400"),
            ("dense-64", "dense at 64", "it cannot be.", ""),
        ]
    ]
    assert session._named("chunk-1000", checked) == "chunk-400"
    assert session._named("chunk-400", checked) == "chunk-400"
    assert session._named(None, checked) is None
    with pytest.raises(UserError, match=r"baseline=dense-64 is not applicable: it cannot be\."):
        session._named("dense-64", checked)
