"""``knowledge=retrieved``: which passages, where they stand, and whole runs."""

import math
import pickle

import numpy as np
import pytest

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.core.types import ADDED, NO_LABEL, Document, Encoded
from ctxlab.data.encode import encode_now, fingerprint
from ctxlab.knowledge.retrieved import Index, Passages, Retrieved
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.lm import LM
from ctxlab.tasks.ner import NER
from tests.stages.conftest import result, train
from tests.training.runs import make_job, stopped_and_resumed

CORPUS = ["the cat sat", "a dog barked at the cat all night", "nothing here", "cat cat cat", "rain fell on the town"]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("".join(f"{line}\n" for line in CORPUS))
    return path


@pytest.fixture(scope="module")
def tokenizer():
    return TinyBert().tokenizer()


def ids(tokenizer, text):
    return np.asarray(tokenizer(text, add_special_tokens=False)["input_ids"], np.int64)


def scores_by_hand(query, passages):
    """Robertson and Zaragoza 2009, term by term, with k1 = 1.2 and b = 0.75."""
    mean = sum(map(len, passages)) / len(passages)
    found = []
    for passage in passages:
        total = 0.0
        for term in set(query):
            containing = sum(term in other for other in passages)
            times = passage.count(term)
            rarity = math.log(1 + (len(passages) - containing + 0.5) / (containing + 0.5))
            total += rarity * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * len(passage) / mean))
        found.append(total)
    return found


@pytest.mark.parametrize("query", ["the cat", "night rain rain", "unseen words"])
def test_the_best_passages_by_hand(tokenizer, query):
    index = Index(CORPUS, tokenizer)
    tokens = ids(tokenizer, query)
    scores = scores_by_hand(tokens.tolist(), [ids(tokenizer, text).tolist() for text in CORPUS])
    expected = sorted(range(len(CORPUS)), key=lambda place: (-round(scores[place], 9), place))
    assert index.nearest(tokens, 5, but=np.zeros(0)) == expected
    assert index.nearest(tokens, 2, but=ids(tokenizer, CORPUS[expected[0]])) == expected[1:3]


def test_where_they_stand(tokenizer):
    """After [CLS], before the question; the document itself is as it was, so that spans and coverage are."""
    passages = Passages(CORPUS, 2, 3)
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    question, text = ids(tokenizer, "dog barked"), ids(tokenizer, "the town slept")
    encoded = Encoded(text, np.arange(len(text)), labels=np.full(len(text), NO_LABEL),
                      before=(cls, *question.tolist(), sep), after=(sep,), query=tuple(question.tolist()))  # fmt: skip
    found = passages(encoded, tokenizer)
    first, second = (
        ids(tokenizer, CORPUS[i])[:3].tolist() for i in Index(CORPUS, tokenizer).nearest(question, 2, text)
    )
    assert first == ids(tokenizer, "a dog barked at the cat all night")[:3].tolist()
    assert list(found.before) == [cls, *first, sep, *second, sep, *question.tolist(), sep]
    assert found.after == encoded.after
    assert found.input_ids is encoded.input_ids
    for window in Chunk().windows(found, 20):
        assert window.input_ids[: len(found.before)].tolist() == list(found.before)
        assert (window.token_index[: len(found.before)] == ADDED).all()


def test_without_a_separator_a_passage_ends_with_a_line_end():
    own = TinyLlama().tokenizer()
    text = ids(own, "rain")
    own.sep_token = None
    encoded = Encoded(text, np.arange(len(text)), labels=np.full(len(text), NO_LABEL))
    before = list(Passages(CORPUS, 1, 99)(encoded, own).before)
    assert before == [*ids(own, CORPUS[4]), *ids(own, "\n")]


def test_tokens_are_cached_under_passages_and_options(corpus, tokenizer):
    keys, document = [], Document("d", {"text": "x", "gold": ("a",)}, "here")
    for options in ({}, {"passages": 1}, {"passage_tokens": 5}):
        task = Classification(["a", "b"])
        keys.append(fingerprint(task, [document], tokenizer))
        Retrieved(str(corpus), **options).teach(task)
        keys.append(fingerprint(task, [document], tokenizer))
    assert len(set(keys)) == 4  # without knowledge they are the same


def test_a_taught_task_is_sent_to_processes(corpus, tokenizer):
    task = NER(["LOC"])
    Retrieved(str(corpus)).teach(task)
    document = Document("d", {"tokens": ["the", "cat"], "tags": ["O", "O"]}, "here")
    (one,), _ = encode_now(task, [document], tokenizer)
    (other,), _ = encode_now(pickle.loads(pickle.dumps(task)), [document], tokenizer)
    assert one.before == other.before
    assert len(one.before) > 2


def test_what_does_not_work_is_refused(corpus):
    with pytest.raises(UserError, match="would give away what task=lm predicts"):
        Retrieved(str(corpus)).teach(LM())
    with pytest.raises(UserError, match=r"needs knowledge\.file=<JSON lines"):
        Retrieved()
    with pytest.raises(UserError, match=r"has 5 passages, fewer than knowledge\.passages=6: use knowledge\.passages=5"):
        Retrieved(str(corpus), passages=6)
    with pytest.raises(UserError, match="passage_tokens=0 must be at least 1"):
        Retrieved(str(corpus), passage_tokens=0)


def test_a_run_is_evaluated_with_its_corpus(tmp_path, corpus, capsys):
    options = ["task=classification", "strategy=chunk", "trainer.max_steps=2", "knowledge=retrieved"]
    known = [f"knowledge.file={corpus}", "knowledge.passages=1"]
    assert train(tmp_path / "with", *options, *known) == 0
    found = result(tmp_path / "with")
    assert found["coverage"]["validation"]["tokens"] == 1
    assert main(["eval", f"run={tmp_path}/with", "tracking=none", f"hydra.run.dir={tmp_path}/again"]) == 0
    assert result(tmp_path / "again")["metrics"]["validation"] == found["metrics"]["validation"]
    capsys.readouterr()
    late = [known[0], "knowledge.passages=5", "context=16", "tracking=tensorboard"]
    assert train(tmp_path / "small", *options, *late) == 2
    assert "leaves no room for the document beside" in capsys.readouterr().err
    assert not (tmp_path / "small").exists()  # although the tracker has begun to write


@pytest.mark.slow
def test_a_resumed_run_is_the_same(tmp_path, corpus):
    options = ("knowledge=retrieved", f"knowledge.file={corpus}", "knowledge.passage_tokens=4", "trainer.max_steps=3")
    whole = make_job(tmp_path / "whole", *options)
    whole.run()
    _, second = stopped_and_resumed(tmp_path / "cut", *options, stop_after=1)
    expected, found = whole.weights(), second.weights()
    assert all((expected[key] == found[key]).all() for key in expected)
