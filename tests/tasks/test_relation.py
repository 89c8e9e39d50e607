"""Relations between entities: reading records, encoding, pooling over windows, loss and answers."""

import json
import math
import pickle
import re

import numpy as np
import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.types import GIVEN, NO_LABEL, SENTENCE, Merged
from ctxlab.evaluation.metrics import relations
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.select import Select
from ctxlab.strategies.reading.truncate import Truncate
from ctxlab.tasks.forms import pair_classifier
from ctxlab.tasks.forms.mention_labels import PLACE_BITS
from ctxlab.tasks.forms.pair_classifier import PairClassifier, adaptive_threshold
from ctxlab.tasks.records.mentions import fact_hashes
from ctxlab.tasks.relation import Relation

TOKENS = "The town sold rope to Ann Lee ; Bob of Lee town and Ann bought it in time .".split()  # noqa: SIM905
ENTITIES = [
    {"type": "LOC", "mentions": [[1, 2], [10, 12]]},
    {"type": "PER", "mentions": [[5, 7], [13, 14]]},
    {"type": "PER", "mentions": [[8, 9]]},
    {"type": "ORG", "mentions": [[10, 11]]},  # begins with the same word as a mention of the first
    {"mentions": [[17, 18]]},
]
RELATIONS = [
    {"head": 0, "tail": 1, "label": "sells_to"},
    {"head": 2, "tail": 0, "label": "lives_in"},
    {"head": 2, "tail": 0, "label": "born_in"},
    {"head": 1, "tail": 3, "label": "lives_in"},
    {"head": 4, "tail": 1, "label": "sells_to"},
]


def record(**changed):
    return {"id": "r", "tokens": TOKENS, "entities": ENTITIES, "relations": RELATIONS} | changed


def parse(task=None, *, gold=True, **changed):
    return (task or Relation()).parse(record(**changed), "a.jsonl line 3", gold=gold)


def installed(*records, **options):
    """A task whose labels are learned and whose classifier is in a tiny model; the documents."""
    task = Relation(width=8, block=4, **options)
    documents = [task.parse(one, f"d{i}", gold=True) for i, one in enumerate(records or [record()])]
    task.learn_labels(documents)
    torch.manual_seed(0)
    task.install(TinyBert().build("states", task.labels))
    torch.nn.init.normal_(task.classifier.bias)
    return task, documents


def test_parse_checks_and_keeps():
    parsed = parse(junk=1)
    assert parsed.fields["tokens"] == TOKENS
    assert parsed.fields["entities"][3] == {"type": "ORG", "mentions": [(10, 11)]}
    assert parsed.fields["entities"][4]["type"] == ""
    assert parsed.fields["relations"][0] == (0, 1, "sells_to")
    assert "relations" not in parse(gold=False, relations=None).fields


def test_fields_may_have_other_names_and_lists_be_arrays():
    task = Relation(tokens_field="words", entities_field="who", relations_field="facts")
    mentions = np.array([0, 1]), np.array([1, 2])
    entities = np.array([{"type": "X", "mentions": np.array([span], dtype=object)} for span in mentions])
    fields = {"words": np.array(["a", "b"], dtype=object), "who": entities, "facts": []}
    assert task.parse(fields, "here", gold=True).fields["entities"][1]["mentions"] == [(1, 2)]


def entity(*mentions, **more):
    return {"entities": [{"type": "X", "mentions": list(mentions), **more}]}


def relation(head=0, tail=1, label="x"):
    return {"relations": [RELATIONS[0], {"head": head, "tail": tail, "label": label}]}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (entity([18, 20]), "'entities[0].mentions[0]' of a.jsonl line 3 is [18, 20], outside the document of 19 words"),
        (entity([0, 1], [-1, 1]), "'entities[0].mentions[1]'"),
        (entity([3, 3]), "a mention without words"),
        (entity([3, 2]), "a mention without words"),
        (entity([0, 1.5]), "two word indices"),
        (entity([0, True]), "two word indices"),
        (entity([0]), "two word indices"),
        (entity("ab"), "two word indices"),
        (entity(), "'entities[0].mentions' of a.jsonl line 3 is empty"),
        (entity([0, 1], [0, 1]), "'entities[0].mentions[1]' of a.jsonl line 3 repeats [0, 1]"),
        (entity([0, 1], type=3), "'entities[0].type' of a.jsonl line 3 is of type int"),
        ({"entities": [{"type": "X"}]}, "'entities[0]' of a.jsonl line 3 has no 'mentions'"),
        ({"entities": [[0, 1]]}, "'entities[0]' of a.jsonl line 3 is of type list"),
        ({"entities": "PER"}, "'entities' of a.jsonl line 3 is of type str"),
        (relation(tail=5), "'relations[1].tail' of a.jsonl line 3 is 5, and there is no such entity: they are 0 to 4"),
        (relation(head=-1), "'relations[1].head' of a.jsonl line 3 is -1"),
        (relation(head="a"), "'relations[1].head' of a.jsonl line 3 is 'a'"),
        (relation(tail=0), "relates entity 0 to itself"),
        (relation(label=7), "'relations[1].label' of a.jsonl line 3 is 7"),
        (relation(label=""), "'relations[1].label'"),
        (relation(label="sells_to"), "'relations[1]' of a.jsonl line 3 repeats [0, 1, 'sells_to']"),
        ({"relations": ["x"]}, "'relations[0]' of a.jsonl line 3 is of type str"),
        ({"tokens": []}, "zero tokens"),
        ({"tokens": [*TOKENS[:-1], None]}, "Word 18"),
        ({"relations": None}, "no field 'relations', only tokens, entities"),
    ],
)
def test_bad_records(changed, says):
    with pytest.raises(UserError, match=re.escape(says)):
        parse(**changed)


def test_a_file_of_another_task():
    with pytest.raises(UserError, match="task=ner"):
        Relation().parse({"tokens": ["a"], "tags": ["O"]}, "x.jsonl line 1", gold=True)
    with pytest.raises(UserError, match=r"task\.entities_field=entity"):
        Relation().parse({"tokens": ["a"], "entity": []}, "x.jsonl line 1", gold=True)


@pytest.mark.parametrize(
    "options", [{"width": 8, "block": 3}, {"block": 0}, {"labels": []}, {"labels": ["a", "a"]}, {"unknown_labels": "x"}]
)
def test_bad_options(options):
    with pytest.raises(UserError, match="task"):
        Relation(**options)


def test_labels_that_training_does_not_have():
    task = Relation(labels=["lives_in", "sells_to"])
    with pytest.raises(UserError, match=r"'born_in' in the field 'relations\[2\]' of a.jsonl line 3"):
        task.check_labels([parse(task)])
    task = Relation(labels=["lives_in", "sells_to"], unknown_labels="miss")
    task.check_labels([parse(task)])
    assert "1 of the relations of 1 documents" in task.notes[0]
    with pytest.raises(UserError, match="no relation"):
        Relation().learn_labels([parse(relations=[])])


@pytest.mark.parametrize("markers", [False, True])
def test_encoding_finds_the_first_token_of_every_mention(markers, tokenizer):
    task, (document,) = installed(markers=markers)
    (encoded,) = task.encode([document], TinyBert().tokenizer())
    assert list(np.unique(encoded.word_ids)) == list(range(len(TOKENS)))
    assert (np.diff(encoded.word_ids) >= 0).all()
    found = np.flatnonzero(encoded.labels != NO_LABEL)
    assert (encoded.labels[found] & ((1 << PLACE_BITS) - 1)).tolist() == [1, 5, 8, 10, 13, 17]
    assert encoded.word_ids[found].tolist() == [1, 5, 8, 10, 13, 17]
    assert (np.diff(encoded.word_ids, prepend=-1)[found] == 1).all()
    plain = TinyBert().tokenizer().convert_ids_to_tokens(encoded.input_ids)
    if markers:
        assert [plain[i] for i in found] == ["*"] * 6
        ends = [i for i, token in enumerate(plain) if token == "*" and i not in found]
        assert encoded.word_ids[ends].tolist() == [1, 6, 8, 10, 11, 13, 17]
    else:
        assert "*" not in plain


def test_marks_are_at_the_first_token_of_their_word():
    for markers in (False, True):
        task = Relation(markers=markers)
        (encoded,) = task.encode([parse(task, sentence_starts=[0, 8], global_words=[1, 8])], TinyBert().tokenizer())
        found = np.flatnonzero(encoded.marks)
        assert encoded.word_ids[found].tolist() == [0, 1, 8]
        assert encoded.marks[found].tolist() == [SENTENCE, GIVEN, SENTENCE + GIVEN]


def test_the_same_content_has_the_same_number():
    task = Relation()
    first, again, other = parse(task), parse(task, id="s"), parse(task, relations=[])
    assert first.fields["key"] == again.fields["key"] == parse().fields["key"] != other.fields["key"]
    other_task = pickle.loads(pickle.dumps(installed()[0]))
    assert other_task.labels == ["born_in", "lives_in", "sells_to"]


def test_pooling_and_scores_against_the_formulas():
    torch.manual_seed(1)
    module = PairClassifier(6, 8, 4, 3, 5, torch.zeros(0, dtype=torch.int64)).double()
    for table in (module.bias, module.type_bias, module.distance_bias):
        torch.nn.init.normal_(table)
    mentions, owners = torch.randn(5, 8).double() * 30, torch.tensor([1, 0, 1, 2, 1])
    starts, types = torch.tensor([3, 10, 50, 47, 90]), torch.tensor([0, 2, 1])
    entities = module.pool(mentions, owners, starts, types)
    for i, kind in enumerate(types):
        expected = torch.logsumexp(mentions[owners == i], dim=0) + module.types.weight[kind]
        torch.testing.assert_close(entities.states[i], expected)
    # Nearest: 0 and 1 are 7 apart (three digits), the latter first; 1 and 2 are 3 apart (two digits), the latter first.
    assert entities.distances.tolist() == [[0, 7, 12], [6, 0, 5], [13, 4, 0]]
    scores = module(entities)
    head, tail = torch.tanh(module.head(entities.states[1])), torch.tanh(module.tail(entities.states[2]))
    for r in range(6):
        plain = sum(head[4 * k : 4 * k + 4] @ module.bilinear[k, :, :, r] @ tail[4 * k : 4 * k + 4] for k in range(2))
        bias = module.bias[r] + module.type_bias[2, 1, r] + module.distance_bias[5, r]
        assert scores[1, 2, r].item() == pytest.approx((plain + 10 * bias).item())
    torch.testing.assert_close(module(entities, slice(1, 2)), scores[1:2])


def test_distances_of_a_document_of_many_mentions(monkeypatch):
    draw = torch.Generator().manual_seed(2)
    starts, owners = torch.randint(0, 500, (40,), generator=draw), torch.arange(40) % 7
    whole = pair_classifier.distances(starts, owners, 7)
    monkeypatch.setattr(pair_classifier, "MENTIONS_AT_ONCE", 3)
    assert torch.equal(pair_classifier.distances(starts, owners, 7), whole)
    for head in range(7):
        for tail in range(7):
            pairs = [
                (abs(b - a), b < a) for a in starts[owners == head].tolist() for b in starts[owners == tail].tolist()
            ]
            far, is_behind = min(pairs)
            assert whole[head, tail] == 2 * far.bit_length() + is_behind


def test_the_loss_by_hand():
    """One pair has the first of two relations, one has none; the threshold's score comes first."""
    scores = torch.tensor([[1.0, 2.0, 3.0], [0.5, -1.0, 0.0]])
    gold = torch.tensor([[True, False], [False, False]])
    e = math.exp
    first = -math.log(e(2) / (e(1) + e(2))) - math.log(e(1) / (e(1) + e(3)))
    second = -math.log(e(0.5) / (e(0.5) + e(-1) + e(0)))
    assert adaptive_threshold(scores, gold).item() == pytest.approx(first + second)
    both = torch.tensor([[True, True], [False, False]])
    first = -math.log(e(2) / (e(1) + e(2) + e(3))) - math.log(e(3) / (e(1) + e(2) + e(3)))
    assert adaptive_threshold(scores, both).item() == pytest.approx(first + second)


def outputs_of(task, encoded, seed=0):
    """Made-up hidden states (L, D) of a document."""
    width = task.classifier.mention.in_features
    return torch.randn(len(encoded), width, generator=torch.Generator().manual_seed(seed))


def loss_of(task, states, labels):
    """Of a batch of windows of unlike lengths."""
    padded = torch.nn.utils.rnn.pad_sequence(states, batch_first=True)
    rows = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(x) for x in labels], True, NO_LABEL)
    return task.loss(padded, rows)


def test_the_loss_pools_over_the_windows_of_a_pass():
    task, (document,) = installed()
    (encoded,) = task.encode([document], TinyBert().tokenizer())
    states = outputs_of(task, encoded)
    whole = loss_of(task, [states], [encoded.labels])
    assert whole.weight == 5 * 4
    cut = encoded.word_ids.searchsorted(9)
    parts = loss_of(task, [states[:cut], states[cut:]], [encoded.labels[:cut], encoded.labels[cut:]])
    torch.testing.assert_close(parts.total, whole.total)
    assert parts.weight == whole.weight
    whole.total.backward()
    assert all(p.grad is not None for p in task.classifier.parameters())


def test_a_pair_that_is_not_seen_takes_no_part():
    task, (document,) = installed()
    (encoded,) = task.encode([document], TinyBert().tokenizer())
    cut = encoded.word_ids.searchsorted(9)  # the first three entities
    part = loss_of(task, [outputs_of(task, encoded)[:cut]], [encoded.labels[:cut]])
    assert part.weight == 3 * 2
    nothing = loss_of(task, [outputs_of(task, encoded)[:1]], [encoded.labels[:1]])
    assert nothing.weight == nothing.total == 0
    nothing.total.backward()


def test_documents_of_a_batch_do_not_mix():
    task, documents = installed(record(), record(entities=ENTITIES[::-1], relations=RELATIONS[:3]))
    encoded = task.encode(documents, TinyBert().tokenizer())
    states = [outputs_of(task, e, i) for i, e in enumerate(encoded)]
    together = loss_of(task, states, [e.labels for e in encoded])
    alone = [loss_of(task, [s], [e.labels]) for s, e in zip(states, encoded, strict=True)]
    torch.testing.assert_close(together.total, alone[0].total + alone[1].total)
    assert together.weight == alone[0].weight + alone[1].weight


def answered(task, document, encoded, reading, length):
    states = task.reduce_outputs(outputs_of(task, encoded)[None], None)[0].detach().numpy()
    windows = reading.windows(encoded, length)
    seen = [np.where(w.token_index[:, None] < 0, 0, states[w.token_index]) for w in windows]
    return task.decode(document, encoded, reading.merge(windows, seen, len(encoded)))


@pytest.mark.parametrize("length", [10, 17, 30])
@pytest.mark.parametrize("overlap", [0, 3])
def test_many_windows_answer_as_one(length, overlap):
    task, (document,) = installed()
    (encoded,) = task.encode([document], TinyBert().tokenizer())
    one, many = (answered(task, document, encoded, Chunk(o), n) for o, n in ((0, 512), (overlap, length)))
    assert one.answer.relations
    assert one.answer.relations == many.answer.relations
    assert one.answer.scores == pytest.approx(many.answer.scores, abs=1e-5)
    assert all(one.seen)
    assert all(many.seen)


def test_a_shifted_threshold_gives_more_or_fewer_relations():
    task, (document,) = installed()
    (encoded,) = task.encode([document], TinyBert().tokenizer())
    found = {}
    for task._threshold_shift in (-0.5, 0.0, 0.5):
        answer = answered(task, document, encoded, Chunk(), 64).answer
        assert min(answer.scores, default=1) > task._threshold_shift
        found[task._threshold_shift] = set(answer.relations)
    assert found[-0.5] >= found[0.0] >= found[0.5]


def perfect(task, document):
    """Answer with the gold relations of the entities that were seen."""
    gold = document.fields["relations"]
    task._above = lambda _, numbers: ([f for f in gold if f[0] in numbers and f[1] in numbers], [1.0] * len(gold))


@pytest.mark.parametrize("reading", [Chunk(), Chunk(4), Truncate(), Truncate("tail"), Truncate("middle"), Select()])
@pytest.mark.parametrize("length", [8, 12, 20, 30])
def test_a_perfect_model_scores_what_it_covers_and_an_empty_one_nothing(reading, length):
    task, (document,) = installed()
    (encoded,) = task.encode([document], TinyBert().tokenizer())
    perfect(task, document)
    scores = relations.score([document], [answered(task, document, encoded, reading, length)])
    assert scores.metrics["recall"] == scores.coverage_labels
    assert scores.metrics["precision"] == (scores.coverage_labels > 0)
    if reading.covers:
        assert scores.metrics["f1"] == scores.coverage_labels == 1
    task._above = lambda *_: ([], [])
    scores = relations.score([document], [answered(task, document, encoded, reading, length)])
    assert set(scores.metrics.values()) == {0}


def test_without_seen_entities_there_is_no_relation():
    task, (document,) = installed()
    (encoded,) = task.encode([document], TinyBert().tokenizer())
    prediction = task.decode(
        document, encoded, Merged(np.zeros((len(encoded), 0), np.float32), np.zeros(len(encoded), bool))
    )
    assert prediction.answer.relations == ()
    assert not any(prediction.seen)


def test_facts_of_training_are_known_by_any_pair_of_names():
    task, (document,) = installed()
    other = parse(task, tokens=["Ann", "and", "town", "Bob"], relations=[
        {"head": 0, "tail": 1, "label": "sells_to"}, {"head": 1, "tail": 0, "label": "sells_to"},
        {"head": 0, "tail": 1, "label": "lives_in"}, {"head": 0, "tail": 2, "label": "sells_to"},
    ], entities=[{"type": "X", "mentions": [[2, 3], [3, 4]]}, {"type": "X", "mentions": [[0, 1]]},
                 {"type": "X", "mentions": [[3, 4]]}])  # fmt: skip
    assert [task._is_known(other, fact) for fact in other.fields["relations"]] == [True, False, False, False]
    assert all(task._is_known(document, fact) for fact in document.fields["relations"])
    assert len(list(fact_hashes(document.fields, (0, 1, "x")))) == 4


def test_the_predictions_of_a_document():
    task, (document,) = installed()
    (encoded,) = task.encode([document], TinyBert().tokenizer())
    perfect(task, document)
    line = task.record(document, answered(task, document, encoded, Chunk(), 64))
    assert line["relations"][1] == {
        "head": 2, "tail": 0, "label": "lives_in", "head_name": "Bob", "tail_name": "town", "score": 1.0,
    }  # fmt: skip
    json.dumps(line)
