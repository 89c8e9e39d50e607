"""``knowledge=gazetteer_constraints``: what both parts do alone."""

import numpy as np
import pytest

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.knowledge.constraints import Constraints
from ctxlab.knowledge.gazetteer import Gazetteer
from ctxlab.knowledge.gazetteer_constraints import GazetteerConstraints
from ctxlab.tasks.ner import NER
from tests.stages.conftest import result, train


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.tsv"
    path.write_text("the\tX\nNew York\tLOC\n")
    return path


def test_a_task_marks_and_decodes_as_with_each_alone(names):
    task, marked, decoded = (NER(["LOC", "PER"]) for _ in range(3))
    GazetteerConstraints(str(names), forbid=[["B-PER", "B-LOC"]]).teach(task)
    Gazetteer(str(names)).teach(marked)
    Constraints([["B-PER", "B-LOC"]]).teach(decoded)
    words = ["the", "New", "York"]
    assert task.mark(words).tolist() == marked.mark(words).tolist() != [0, 0, 0]
    outputs = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    seen = np.ones(9, np.bool_)
    both, alone = task.choose(outputs, seen), decoded.choose(outputs, seen)
    assert both.labels.tolist() == alone.labels.tolist()
    assert both.counts == alone.counts != marked.choose(outputs, seen).counts


def test_mistakes_of_each_are_refused(names):
    with pytest.raises(UserError, match=r"needs knowledge\.file=<file"):
        GazetteerConstraints()
    with pytest.raises(UserError, match="forbid has the label 'B-PERS'"):
        GazetteerConstraints(str(names), forbid=[["B-PERS", "B-LOC"]]).teach(NER(["PER", "LOC"]))


@pytest.mark.slow
def test_a_run_has_both_and_is_read_with_the_list_alone(tmp_path, names):
    options = ["knowledge=gazetteer_constraints", f"knowledge.file={names}", "strategy=chunk", "trainer.max_steps=3"]
    assert train(tmp_path / "run", *options) == 0
    (row,) = result(tmp_path / "run")["breakdowns"]["validation"]["decoding"]
    assert row["forbidden after"] == 0
    assert main(["eval", f"run={tmp_path}/run", "tracking=none", "knowledge=gazetteer", f"knowledge.file={names}",
                 f"hydra.run.dir={tmp_path}/again"]) == 0  # fmt: skip
    assert "decoding" not in result(tmp_path / "again")["breakdowns"]["validation"]
