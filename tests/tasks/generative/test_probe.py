"""Probes for generating models: the targets of windows, and the scores of what is generated."""

import numpy as np
import pytest

from ctxlab.config import catalogue
from ctxlab.core.errors import UserError
from ctxlab.core.types import GeneratedTokens, Merged
from ctxlab.data.sources.generated import Generated
from ctxlab.evaluation.metrics.probe_recall import score
from ctxlab.models.loading.tiny import make_tokenizer
from ctxlab.runtime.forward import window_targets
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.tasks.generative.prompts import ids_of
from ctxlab.tasks.probe import Probe

TOKENIZER = make_tokenizer()
DECODING = {"max_new_tokens": 48}


def written(text, logit=-1.0):
    return GeneratedTokens(np.asarray(ids_of(TOKENIZER, text), np.int64), logit)


def task(**options):
    made = Probe(decoding=DECODING, **options).for_kind("decoder")
    made.prepare(TOKENIZER)
    return made


def generated(documents, seed=1, **probe):
    return [record.fields for record in Generated(documents, probe=probe).load("probe", "train", seed)]


def document(made, **options):
    (record,) = generated(1, **{"lengths": [160], **options})
    return made.parse(record, "here", gold=True), record


@pytest.mark.parametrize("name", catalogue.options("probe"))
def test_the_target_scores_1_and_an_empty_text_0(name):
    made = task()
    asked, record = document(made, name=name)
    (encoded,) = made.encode([asked], TOKENIZER)
    assert TOKENIZER.decode(encoded.target[:-1]) == TOKENIZER.decode(ids_of(TOKENIZER, ", ".join(record["answers"])))
    assert record["question"].lower().split()[0] in TOKENIZER.decode(encoded.after)
    for text, recall in ((", ".join(record["answers"]), 1.0), ("", 0.0)):
        merged = Merged(np.zeros((len(encoded), 1)), np.ones(len(encoded), np.bool_), [written(text)])
        assert score([asked], [made.decode(asked, encoded, merged)]).metrics["recall"] == recall


def test_the_target_of_a_window_without_the_evidence_is_empty():
    made = task()
    asked, record = document(made, name="passkey", depths=[1])
    (encoded,) = made.encode([asked], TOKENIZER)
    windows = Chunk().windows(encoded, 160)
    assert len(windows) > 1
    *others, last = [TOKENIZER.decode(target[:-1]) for target in window_targets(encoded, windows)]
    assert set(others) == {""}
    assert last == record["answers"][0]


def test_the_likeliest_text_of_several_windows_is_the_answer():
    made = task()
    asked, record = document(made, name="passkey")
    (encoded,) = made.encode([asked], TOKENIZER)
    pieces = [written("11111", -0.5), written("", -0.01), written(record["answers"][0], -0.1)]
    merged = Merged(np.zeros((len(encoded), 1)), np.ones(len(encoded), np.bool_), pieces)
    assert made.decode(asked, encoded, merged).answer.text == record["answers"][0]


def test_examples_show_the_evidence():
    made = task(shots=2, example_words=30)
    records = generated(4, seed=2, name="passkey", lengths=[200])
    solved = [made.parse(record, "here", gold=True) for record in records]
    made.take_examples(solved[1:], 1)
    (encoded,) = made.encode(solved[:1], TOKENIZER)
    front = TOKENIZER.decode(encoded.before)
    shown = [record["answers"][0] for record in records[1:] if f"the key is {record['answers'][0]}" in front]
    assert len(shown) == front.count("the key is") == front.count("question :") == 2


def test_encoders_are_shown_no_examples():
    assert isinstance(Probe().for_kind("encoder"), Probe)
    with pytest.raises(UserError, match="does not work with a model of kind encoder"):
        Probe(shots=1).for_kind("encoder")
