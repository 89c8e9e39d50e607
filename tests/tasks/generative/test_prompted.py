"""Labels by prompting: the prompt, how labels are scored, and what is refused."""

import numpy as np
import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.types import Merged
from ctxlab.models.loading.tiny import make_tokenizer
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.nli import NLI


def documents(task, *labels):
    return [task.parse({"id": f"d{i}", "text": f"words {i}", "label": x}, "line", gold=True)
            for i, x in enumerate(labels)]  # fmt: skip


def made(task_class=Classification, **options):
    return task_class(**{"shots": 0, **options}).for_kind("decoder")


def test_null_is_a_head_and_a_number_is_a_prompt():
    plain = Classification()
    assert plain.for_kind("decoder") is plain
    assert made().head == "causal_lm"
    assert made().metric == Classification.metric


def test_the_prompt_of_a_classification():
    task, tokenizer = made(labels=["ham", "spam"], shots=1, instruction="which: {labels}?"), make_tokenizer()
    one, other = documents(task, "ham", "spam")
    task.take_examples([one, other], 1)
    task.prepare(tokenizer)
    encoded = task.encode([one], tokenizer)[0]
    assert tokenizer.decode(encoded.before, skip_special_tokens=True) == "which : ham, spam? words 1 label : spam"
    assert tokenizer.decode(encoded.after) == "label :"
    assert tokenizer.decode(encoded.target[:-1]) == "ham"
    assert encoded.room == max(map(len, task.continuations.token_ids)) + 1


def test_the_prompt_of_an_inference_asks_after_the_premise():
    task, tokenizer = made(NLI, labels=["yes", "no"]), make_tokenizer()
    document = task.parse({"premise": "it rains", "hypothesis": "it is wet", "label": "yes"}, "line", gold=True)
    task.prepare(tokenizer)
    encoded = task.encode([document], tokenizer)[0]
    assert tokenizer.decode(encoded.after) == "claim : it is wet answer :"
    assert tokenizer.decode(encoded.query) == "claim : it is wet"


@pytest.mark.parametrize(("labels", "ends"), [(["1", "10"], True), (["ham", "spam"], False)])
def test_the_end_token_counts_where_a_label_is_a_prefix_of_another(labels, ends):
    task, tokenizer = made(labels=labels), make_tokenizer()
    task.prepare(tokenizer)
    begins = any(
        a != b and b[: len(a)] == a for a in task.continuations.token_ids for b in task.continuations.token_ids
    )
    assert begins == ends
    assert task.continuations.ends == ((tokenizer.sep_token_id,) if ends else ())


def test_labels_are_learnt_and_kept_where_they_are_given():
    task = made()
    assert task.learns_labels
    task.learn_labels(documents(task, "b", "a"))
    assert task.labels == ["a", "b"]
    task = made(labels=["b", "a"])
    task.learn_labels(documents(task, "a"))
    assert (task.labels, task.learns_labels) == (["b", "a"], False)
    with pytest.raises(UserError, match="label 'c' in the field 'label'"):
        task.check_labels(documents(made(), "c"))


def test_the_answer_is_the_most_likely_label_by_its_share():
    task, tokenizer = made(labels=["ham", "spam"]), make_tokenizer()
    task.prepare(tokenizer)
    (document,) = documents(task, "ham")
    (encoded,) = task.encode([document], tokenizer)
    given = torch.tensor([[-7.0, -7.0 + np.log(3)]])
    kept = task.reduce_outputs(given, torch.zeros(1, len(encoded), dtype=torch.long))[0].numpy()
    prediction = task.decode(document, encoded, Merged(kept, np.ones(len(encoded), np.bool_)))
    assert task.record(document, prediction)["label"] == "spam"
    assert prediction.answer.probabilities == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize("task_class", [Classification, NLI])
@pytest.mark.parametrize("kind", ["encoder", "encoder_decoder"])
def test_other_kinds_read_no_prompts(task_class, kind):
    with pytest.raises(
        UserError,
        match=f"task.shots=0 prompts the model, which does not work with a model of kind {kind}: .* task.shots=null",
    ):
        task_class(shots=0).for_kind(kind)


def test_what_cannot_work_is_refused():
    with pytest.raises(UserError, match=r"task\.multi_label=true, as a prompt is answered by one label"):
        made(multi_label=True)
    with pytest.raises(UserError, match=r"task\.shots=-2 is negative"):
        made(shots=-2)
    same = made(labels=["Ham", "ham"])  # a tokenizer without capitals
    with pytest.raises(UserError, match="label 'ham' has the tokens of 'Ham'"):
        same.prepare(make_tokenizer())
