"""Response generation: which turns are predicted, for which speaker, after which history; figures by hand."""

import numpy as np
import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, Merged, Prediction
from ctxlab.evaluation.metrics.replies import score
from ctxlab.models.loading.tiny import make_tokenizer
from ctxlab.tasks.dialogue import Dialogue
from ctxlab.tasks.generative.base import GeneratedText
from ctxlab.tasks.records.turns import Turn, other_speaker

TURNS = [{"speaker": s, "text": t} for s, t in (("ann", "hello"), ("bob", "hi"), ("ann", "tea?"), ("bob", "yes"))]


def parts(turns=TURNS, kind="decoder", gold=True, **options):
    task = Dialogue(**options).for_kind(kind)
    return task, task.expand(task.parse({"id": "d", "turns": turns}, "file line 1", gold=gold))


def test_a_decoder_generates_the_last_turn_after_the_letter_of_its_speaker():
    task, (document,) = parts()
    assert task.source(document) == "A: hello\nB: hi\nA: tea?"
    assert (task.cue(document), task.target(document), document.id) == ("B:", "yes", "d@4")
    tokenizer = make_tokenizer()
    (encoded,) = task.encode([document], tokenizer)
    assert tokenizer.decode(encoded.after) == "b :"
    assert tokenizer.decode(encoded.target) == "yes [SEP]"
    assert encoded.room == task.decoding.max_new_tokens


@pytest.mark.parametrize(
    ("reply", "seen", "nats"),
    [
        ("yes", True, lambda v: 5.0),
        ("мир", True, lambda v: 5.0 + 3 * np.log(v)),  # one unknown token of three characters
        ("yes", False, lambda v: 3 * np.log(v)),  # "ye", "##s" and the end
    ],
)
def test_what_was_not_read_or_is_unknown_costs_a_uniform_guess(reply, seen, nats):
    task, (document,) = parts([*TURNS[:3], {"speaker": "bob", "text": reply}])
    tokenizer = make_tokenizer()
    task.prepare(tokenizer)
    (encoded,) = task.encode([document], tokenizer)
    asked = len(encoded.target)
    merged = Merged(
        np.zeros((len(encoded), 0), np.float32), np.full(len(encoded), seen), target_nll=5.0, num_asked=asked
    )
    answer = task.decode(document, encoded, merged).answer
    assert (answer.target_nll, answer.num_asked) == (pytest.approx(nats(len(tokenizer))), asked)


def test_an_unknown_token_costs_nothing_by_itself():
    task, _ = parts()
    tokenizer = make_tokenizer()
    task.prepare(tokenizer)
    labels = torch.tensor([[tokenizer.unk_token_id, tokenizer.sep_token_id]])
    found = task.reduce_outputs(torch.zeros(1, 2, len(tokenizer)), labels)[0, :, 0]
    assert found.tolist() == pytest.approx([0.0, np.log(len(tokenizer))])


def test_without_gold_the_turn_comes_after_all_others():
    task, (document,) = parts(gold=False)
    assert task.source(document).endswith("B: yes")
    assert (task.cue(document), task.target(document)) == ("A:", None)


def test_several_turns_of_a_dialogue_are_asked_for():
    task, documents = parts(turns_per_dialogue=2)
    assert [task.target(document) for document in documents] == ["hi", "yes"]
    assert {document.fields["group"] for document in documents} == {"d"}


def test_the_mode_follows_the_model_unless_it_is_given():
    assert Dialogue().for_kind("encoder").metric == "choosing"
    assert Dialogue().for_kind("encoder_decoder").metric == "replies"
    assert Dialogue(mode="choose").for_kind("decoder").kinds == {"encoder"}
    assert "encoder" not in Dialogue(mode="write").for_kind("encoder").kinds
    with pytest.raises(UserError, match="mode=talk is not one of choose, write"):
        Dialogue(mode="talk")


def test_one_turn_is_no_dialogue():
    with pytest.raises(UserError, match="file line 1 has only one non-empty turn"):
        parts(TURNS[:1])


@pytest.mark.parametrize(("speakers", "expected"), [("AB", "A"), ("A", "B"), ("ABC", "B"), ("ABB", "A"), ("B", "A")])
def test_who_speaks_next(speakers, expected):
    assert other_speaker([Turn(letter, "x", place) for place, letter in enumerate(speakers)]) == expected


def answer(text, nll, asked):
    return GeneratedText(text, (text,), (0.0,), nll, asked, np.array([True]), np.array([0]), ())


def test_figures_by_hand():
    documents = [Document(name, {"group": name[0]}, name) for name in ("a1", "a2", "b1")]
    answers = [answer("yes yes", 2.0, 2), answer("no", 4.0, 1), answer("yes", 3.0, 3)]
    scores = score(documents, [Prediction(d.id, a, [True]) for d, a in zip(documents, answers, strict=True)])
    assert scores.metrics["perplexity"] == pytest.approx(np.exp(9 / 6))
    assert scores.metrics["distinct_1"] == 2 / 4
    assert scores.metrics["words"] == pytest.approx(4 / 3)
    assert [row[1] for row in scores.tables[1].rows] == [3]
