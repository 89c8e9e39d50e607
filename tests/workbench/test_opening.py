"""The order in which parts are set up, and what is refused before anything is read."""

from dataclasses import replace
from pathlib import Path

import pytest

from ctxlab.command.compose import compose
from ctxlab.core.errors import UserError
from ctxlab.data.splits import load_documents
from ctxlab.workbench.opening import find_checkpoint, open_bench, task_for
from ctxlab.workbench.parts import Start, make_parts
from tests.training.runs import SMALL, make_job


def made(*words, stage="train"):
    given = {word.split("=")[0] for word in words}
    return make_parts(compose(stage, [*(word for word in SMALL if word.split("=")[0] not in given), *words]), Path())


def loader(parts, heard=None):
    def load(task):
        if heard is not None:
            heard.append((task.name, list(task.labels)))
        return load_documents(parts.data, task, parts.data_seed)

    return load


def test_labels_come_from_documents_and_the_parts_stay_as_they_were():
    parts, heard = made("task.labels=null"), []
    strategy = parts.strategy.reading
    first = open_bench(parts, loader(parts, heard), learns=True, trains=True)
    again = open_bench(parts, loader(parts, heard), learns=True, trains=True)
    assert heard == [("ner", []), ("ner", [])]  # the documents are read before there are labels
    assert len(first.bench.task.labels) == first.bench.model.config.num_labels > 1
    assert list(parts.task.labels) == []
    assert parts.strategy.reading is strategy is not first.bench.strategy.reading
    weights = [opened.bench.model.state_dict() for opened in (first, again)]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])  # a new head is drawn from the seed
    assert (first.checkpoint, first.origin, first.state.step) == (None, "tiny_bert", 0)


@pytest.mark.slow
def test_what_a_stage_refuses_is_refused_before_documents_are_read():
    def refuse(task):
        raise UserError(f"not {task.name}")

    def load(task):
        raise AssertionError("read")

    with pytest.raises(UserError, match="not ner"):
        open_bench(made(), load, learns=True, refuse=refuse)
    with pytest.raises(UserError, match="run=<directory"):
        open_bench(made(), load)


def test_a_task_has_the_form_for_its_kind_of_model():
    parts = made("task=qa", "model=tiny_bert")
    assert type(task_for(parts.task, parts.model)) is not type(task_for(parts.task, made("model=tiny_t5").model))
    with pytest.raises(UserError, match="model="):
        task_for(made("task=mlm").task, made("model=tiny_llama").model)


def test_a_checkpoint_brings_weights_labels_and_state(tmp_path):
    job = make_job(tmp_path, "trainer.max_steps=2")
    job.run()
    parts = replace(job.parts, start=Start(tmp_path, "latest"))
    opened = open_bench(parts, loader(parts), scored=["validation"])
    assert opened.checkpoint == find_checkpoint(parts, trains=False)
    assert (opened.state.step, opened.state.resumed_from) == (2, "step-00000002")
    assert opened.bench.task.labels == job.bench.task.labels
    weights = opened.bench.model.state_dict()
    assert all(value.equal(weights[name]) for name, value in job.weights().items())
    assert not opened.bench.model.training
    other = replace(parts, task=made("task=mlm").task)
    with pytest.raises(UserError, match=r"task ner, not mlm"):
        find_checkpoint(other, trains=False)


def test_a_run_without_a_checkpoint_begins_or_is_refused(tmp_path):
    parts = replace(made(), start=Start(tmp_path, "latest"))
    assert find_checkpoint(parts, trains=True) is None
    with pytest.raises(UserError, match=str(tmp_path)):
        find_checkpoint(parts, trains=False)
