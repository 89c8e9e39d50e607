"""The task nli: records, and the hypothesis in front of every window."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.tasks.nli import NLI
from ctxlab.tasks.text.pairs import pair_frame

HERE = "train.jsonl line 3"
RECORD = {"id": "n", "premise": "the town the time " * 20, "hypothesis": "the town", "label": "neutral"}


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"premise": "a", "hypothesis": "b"}, r"no field 'label', only premise, hypothesis"),
        ({"premise": "a", "label": "x"}, r"no field 'hypothesis'.*task.hypothesis_field="),
        ({"context": "a", "hypothesis": "b", "label": "x"}, r"no field 'premise'.*task.premise_field="),
        ({"premise": "", "hypothesis": "b", "label": "x"}, r"'premise' of train.jsonl line 3 is an empty text"),
        ({"premise": "a", "hypothesis": "\n", "label": "x"}, r"'hypothesis' of train.jsonl line 3 is an empty text"),
        ({"premise": "a", "hypothesis": "b", "label": ["x"]}, r"of type list: give one label\."),
        ({"text": "a", "label": "x"}, r"looks like a record for task=classification"),
    ],
)
def test_bad_records_are_named(record, says):
    with pytest.raises(UserError, match=says) as caught:
        NLI().parse(record, HERE, gold=True)
    assert HERE in str(caught.value)


def test_labels_are_those_that_were_given():
    with pytest.raises(UserError, match="label 'neutral' in the field 'label'"):
        NLI(labels=["entailment", "contradiction"]).parse(RECORD, HERE, gold=True)


def test_the_hypothesis_stands_before_every_window(family):
    tokenizer, before, after = family
    task = NLI(labels=["entailment", "neutral"])
    (encoded,) = task.encode([task.parse(RECORD, HERE, gold=True)], tokenizer)
    assert encoded.query == tuple(tokenizer("the town", add_special_tokens=False)["input_ids"])
    assert encoded.before[: len(before) + len(encoded.query)] == (*before, *encoded.query)
    assert encoded.after == after
    assert set(encoded.labels.tolist()) == {1}
    windows = Chunk().windows(encoded, 40)
    assert len(windows) > 1
    for window in windows:
        assert tuple(window.input_ids[: len(encoded.before)]) == encoded.before
        assert len(window) <= 40


def test_texts_are_separated_as_the_tokenizer_does(tokenizer):
    """The tests' own BERT has no template for two texts, the library's does."""
    from ctxlab.models.loading.tiny import make_tokenizer

    bert = make_tokenizer()
    around = pair_frame(bert)
    assert (around.before, around.between, around.after) == (
        (bert.cls_token_id,),
        (bert.sep_token_id,),
        (bert.sep_token_id,),
    )
    task = NLI(labels=["a", "neutral"])
    (encoded,) = task.encode([task.parse({**RECORD, "premise": "time"}, HERE, gold=True)], bert)
    whole = (*encoded.before, *encoded.input_ids, *encoded.after)
    assert list(whole) == bert("the town", "time")["input_ids"]


def test_a_hypothesis_that_fills_the_window_is_named(tokenizer):
    task = NLI(labels=["a", "neutral"])
    (encoded,) = task.encode([task.parse({**RECORD, "hypothesis": "the " * 60}, HERE, gold=True)], tokenizer)
    with pytest.raises(UserError, match="leaves no room for the document"):
        Chunk().windows(encoded, 32)
