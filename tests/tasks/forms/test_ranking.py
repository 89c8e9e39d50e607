"""The tasks recommendation and dialogue: records, candidates, and what of them is read."""

from collections import Counter

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.types import Merged
from ctxlab.data.parsing import split_documents
from ctxlab.runtime.collate import collate
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.truncate import Truncate
from ctxlab.tasks.dialogue import Dialogue, asked
from ctxlab.tasks.forms.ranking import odds
from ctxlab.tasks.recommendation import Recommendation
from ctxlab.tasks.records.turns import format_turns, turns_of

HERE = "train.jsonl line 3"
USER = {"id": "u", "history": ["the town", "the time " * 30], "candidates": ["town", "time"], "labels": [0, 1]}


def turn(text, speaker="x"):
    return {"speaker": speaker, "text": text}


TALK = {"id": "d", "turns": [turn("the town"), turn("the time", "y"), turn("times")], "candidates": ["times", "town"]}
PLAIN = [
    {"id": f"d{d}", "turns": [turn(f"town {d} {n}", "xy"[n % 2]) for n in range(6)]} for d in range(4)
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"history": None}, r"'history' of train.jsonl line 3 is empty: give a list"),
        ({"history": "the town"}, r"'history' of train.jsonl line 3 is of type str: give a list"),
        ({"history": []}, r"'history' of train.jsonl line 3 is an empty list"),
        ({"history": ["a", " "]}, r"'history\[1\]' of train.jsonl line 3 is an empty text"),
        ({"history": ["a", 3]}, r"'history\[1\]' of train.jsonl line 3 is of type int"),
        ({"candidates": ["a", ""]}, r"'candidates\[1\]' of train.jsonl line 3 is an empty text"),
        ({"candidates": ["a", {"text": "b"}]}, r"'candidates\[1\]' of train.jsonl line 3 is of type dict"),
        ({"candidates": ["a b", "a  b"]}, r"'candidates\[1\]' of train.jsonl line 3 repeats 'candidates\[0\]'"),
        ({"candidates": ["a", "\ud800"]}, r"train.jsonl line 3 contains half of a surrogate pair"),
        ({"labels": [1]}, r"'labels' of train.jsonl line 3 has 1 labels for 2 candidates"),
        ({"labels": [0, 0]}, r"'labels' of train.jsonl line 3 says that no candidate was chosen"),
        ({"labels": [1, 1]}, r"says that every candidate was chosen"),
        ({"labels": [1, 2]}, r"'labels\[1\]' of train.jsonl line 3 is 2: give 1"),
        ({"labels": [1, "0"]}, r"'labels\[1\]' of train.jsonl line 3 is '0'"),
        ({"labels": [1, 0.0]}, r"'labels\[1\]' of train.jsonl line 3 is 0.0"),
        ({"labels": [1, False]}, r"'labels' mixes whole numbers \(train.jsonl line 3\) and truth values"),
    ],
)
def test_bad_records_of_recommendation_are_named(change, says):
    with pytest.raises(UserError, match=says):
        Recommendation().parse({**USER, **change}, HERE, gold=True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"turns": "hello"}, r"'turns' of train.jsonl line 3 is of type str: give a list"),
        ({"turns": []}, r"'turns' of train.jsonl line 3 is an empty list"),
        ({"turns": [turn("times")]}, r"'turns' of train.jsonl line 3 has only one non-empty turn"),
        ({"turns": [turn("times"), turn(" ")]}, r"has only one non-empty turn"),
        ({"turns": [turn(" "), turn("")]}, r"'turns' of train.jsonl line 3 has empty texts only"),
        ({"turns": ["hello", "times"]}, r"'turns\[0\]' of train.jsonl line 3 is of type str: give \{\"speaker\""),
        ({"turns": [turn("a"), {"text": "b"}]}, r"'turns\[1\]' of train.jsonl line 3 has only text"),
        ({"turns": [turn("a"), turn(3)]}, r"'turns\[1\].text' of train.jsonl line 3 is of type int"),
        ({"turns": [turn("a", None), turn("b")]}, r"'turns\[0\].speaker' of train.jsonl line 3 is empty"),
        ({"turns": [turn("a", ""), turn("b")]}, r"'turns\[0\].speaker' of train.jsonl line 3 is an empty text"),
        ({"turns": [turn("a", 1), turn("times", "x")]}, r"'turns\[1\].speaker'.*mixes whole numbers and names"),
        ({"turns": [turn("a"), turn("\ud800")]}, r"half of a surrogate pair"),
        (
            {"candidates": ["town", "time"]},
            r"'candidates' of train.jsonl line 3 does not contain the last turn \('times'\)",
        ),
        ({"candidates": ["times"]}, r"'candidates' of train.jsonl line 3 has one candidate"),
        ({"candidates": ["times", "town", "town"]}, r"'candidates\[2\]' of train.jsonl line 3 repeats"),
        ({"candidates": "times"}, r"'candidates' of train.jsonl line 3 is of type str"),
    ],
)
def test_bad_records_of_dialogue_are_named(change, says):
    with pytest.raises(UserError, match=says):
        Dialogue().parse({**TALK, **change}, HERE, gold=True)


OTHERS = {
    "ner": {"tokens": ["a"], "tags": ["O"]},
    "classification": {"text": "a", "label": "x"},
    "nli": {"premise": "a", "hypothesis": "b", "label": "x"},
    "relation": {"tokens": ["a"], "entities": [], "relations": []},
    "qa": {"context": "a", "questions": []},
    "summarization": {"document": "a", "summaries": [{"query": "b", "summary": "c"}]},
    "translation": {"source": "a", "target": "b"},
    "dialogue": {"turns": []},
    "recommendation": {"history": ["a"], "candidates": ["b"], "labels": [1]},
    "lm": {"text": "a"},
}


@pytest.mark.parametrize(
    ("record", "other"),
    [
        ({"context": "a", "question": "b", "answers": []}, "qa"),
        ({"document": "a", "summary": "b"}, "summarization"),
        ({"text": "a", "labels": ["x"]}, "classification"),
    ],
)
def test_other_forms_of_other_tasks_are_known(record, other):
    with pytest.raises(UserError, match=f"looks like a record for task={other}"):
        Dialogue().parse({"id": "1", **record}, HERE, gold=True)


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("task", [Recommendation(), Dialogue()], ids=["recommendation", "dialogue"])
def test_files_of_other_tasks_are_known(task, other):
    if task.name == other:
        return
    with pytest.raises(UserError, match=f"looks like a record for task={other}: use a file for task={task.name}"):
        task.parse({"id": "1", **OTHERS[other]}, HERE, gold=True)


def test_a_missing_field_is_named_with_the_nearest():
    with pytest.raises(UserError, match=r"no field 'history', only historie.*task.history_field=historie"):
        Recommendation().parse({"historie": ["a"], "candidats": ["a"]}, HERE, gold=True)
    with pytest.raises(
        UserError, match=r"no field 'turns', only utterances: name the right one with task.turns_field="
    ):
        Dialogue().parse({"utterances": []}, HERE, gold=True)
    with pytest.raises(UserError, match=r"no field 'labels'"):
        Recommendation().parse({"history": ["a"], "candidates": ["a", "b"]}, HERE, gold=True)
    assert split_documents(
        Recommendation(), [Recommendation().parse({"history": ["a"], "candidates": ["b"]}, HERE, gold=False)]
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Dialogue(mode="guess"), "task.mode=guess is not one of choose"),
        (lambda: Dialogue(candidates=1), "task.candidates=1"),
        (lambda: Dialogue(candidates_seed=-1), "task.candidates_seed=-1"),
        (lambda: Dialogue(turns_per_dialogue=0), "task.turns_per_dialogue=0"),
        (lambda: Dialogue(negatives=0), "task.negatives=0"),
        (lambda: Recommendation(candidate_tokens=0), "task.candidate_tokens=0"),
        (lambda: Recommendation(combine="vote"), "task.combine=vote is not one of"),
    ],
)
def test_bad_options_are_named(make, says):
    with pytest.raises(UserError, match=says):
        make()


def test_the_candidate_stands_before_every_window(family):
    tokenizer, before, after = family
    task = Recommendation()
    documents = task.expand(task.parse(USER, HERE, gold=True))
    assert [document.id for document in documents] == ["u#1", "u#2"]
    for document, encoded, label in zip(documents, task.encode(documents, tokenizer), USER["labels"], strict=True):
        assert encoded.query == tuple(tokenizer(document.fields["candidate"], add_special_tokens=False)["input_ids"])
        assert encoded.before[: len(before) + len(encoded.query)] == (*before, *encoded.query)
        assert encoded.after == after
        assert set(encoded.labels.tolist()) == {label}
        windows = Chunk().windows(encoded, 40)
        assert len(windows) > 1
        assert all(tuple(window.input_ids[: len(encoded.before)]) == encoded.before for window in windows)
        ids = np.concatenate([w.input_ids[w.token_index >= 0] for w in windows])
        assert ids.tolist() == tokenizer("\n\n".join(USER["history"]), add_special_tokens=False)["input_ids"]


def test_neighbours_are_encoded_as_each_by_itself(tokenizer):
    task = Recommendation()
    documents = [part for n in "ab" for part in task.expand(task.parse({**USER, "id": n}, HERE, gold=True))]
    for one, (other,) in zip(
        task.encode(documents, tokenizer), (task.encode([d], tokenizer) for d in documents), strict=True
    ):
        for name in ("input_ids", "word_ids", "labels", "marks", "starts", "ends", "before", "after", "query"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_a_long_candidate_is_cut_and_said_so(tokenizer):
    task = Recommendation(candidate_tokens=5)
    documents = task.expand(task.parse({**USER, "candidates": ["town " * 50, "time"]}, HERE, gold=True))
    long, short = task.encode(documents, tokenizer)
    assert (len(long.query), len(short.query)) == (5, 1)
    assert task.notes == ["Candidates of more than task.candidate_tokens=5 tokens are truncated to that length."]
    assert task.encode_options == (5,)


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("negatives", "expected"), [(1, 1), (4, 4), (None, 9), (20, 9)])
def test_an_epoch_takes_the_configured_number_of_negatives(negatives, expected, tokenizer):
    task = Recommendation(negatives=negatives)
    record = {"history": ["the town"], "candidates": list("abcdefghij"), "labels": [1] + [0] * 9}
    documents = [p for n in range(20) for p in task.expand(task.parse({**record, "id": n}, HERE, gold=True))]
    task.learn_labels(documents)
    encoded = task.encode(documents, tokenizer)
    epochs = [[task.resample(e, 1000 * epoch + i) for i, e in enumerate(encoded)] for epoch in range(10)]
    kept = [[len(Chunk().windows(e, 32)) for e in epoch] for epoch in epochs]
    assert all(all(epoch[::10]) for epoch in kept)  # chosen ones stay
    others = np.mean([sum(epoch) / 20 - 1 for epoch in kept])
    assert others == pytest.approx(expected, rel=0.15)
    assert (len({tuple(epoch) for epoch in kept}) > 1) == (expected < 9)
    again = [task.resample(e, i) for i, e in enumerate(encoded)]
    assert [len(e) for e in again] == [len(e) for e in epochs[0]]


def test_an_epoch_without_a_token_has_no_window_anywhere(tokenizer):
    task = Recommendation(negatives=1)
    task.learn_labels(task.expand(task.parse(USER, HERE, gold=True)))
    task._kept_share = 0.0
    other, _ = task.encode(task.expand(task.parse(USER, HERE, gold=True)), tokenizer)
    for reading in (Chunk(), Truncate("tail")):
        assert reading.windows(task.resample(other, 0), 32) == []


def test_scores_separate_candidates_whose_probability_is_one(tokenizer):
    task = Recommendation()
    document = task.expand(task.parse(USER, HERE, gold=True))[0]
    (encoded,) = task.encode([document], tokenizer)
    seen = np.ones(len(encoded), bool)

    def predicted(logit, seen=seen):
        outputs = np.tile(np.asarray([0, logit], np.float32), (len(encoded), 1))
        return task.decode(document, encoded, Merged(outputs, seen))

    assert odds(predicted(30).answer) == pytest.approx(30)
    assert odds(predicted(-30).answer) == pytest.approx(-30)
    unread = predicted(5, ~seen)
    assert odds(unread.answer) is None
    line = task.record(document, unread)
    assert line == {"id": "u", "candidate": 1, "text": "town", "score": None, "probability": None, "share_read": 0.0}


def test_loss_is_cross_entropy_over_windows(tokenizer):
    import torch

    task = Recommendation()
    encoded = task.encode(task.expand(task.parse(USER, HERE, gold=True)), tokenizer)
    windows = [(w, e) for e in encoded for w in Chunk().windows(e, 64)]
    batch = collate([w for w, _ in windows], [w.labels(e) for w, e in windows], 0)
    outputs = torch.randn(len(windows), 2)
    gold = torch.tensor([int(e.labels[0]) for _, e in windows])
    loss = task.loss(outputs, batch["labels"])
    assert loss.weight == len(windows)
    assert loss.total.item() == pytest.approx(torch.nn.functional.cross_entropy(outputs, gold, reduction="sum").item())


def test_turns_keep_their_speakers():
    turns, left_out = turns_of(
        {"turns": [turn("a\nb", "Zoe"), turn("c", "Zoe"), turn(""), turn("d", "Al"), turn("e", "Zoe")]},
        "turns",
        HERE,
        "x",
    )
    assert format_turns(turns) == "A: a b\nA: c\nB: d\nA: e"
    assert left_out == 1
    assert [one.place for one in turns] == [0, 1, 3, 4]


def test_empty_turns_are_counted():
    task = Dialogue()
    for _ in range(2):
        task.parse({**TALK, "turns": [turn(""), *TALK["turns"]]}, HERE, gold=True)
    assert task.notes == ["2 turns of the dialogues are empty texts, and were left out."]


def test_candidates_of_a_record():
    task = Dialogue()
    documents = split_documents(task, [task.parse(TALK, HERE, gold=True)])
    assert [(d.fields["candidate"], d.fields["gold"]) for d in documents] == [
        ("times", ("chosen",)),
        ("town", ("other",)),
    ]
    assert {d.fields["history"] for d in documents} == {"A: the town\nB: the time"}
    assert {(d.fields["record"], d.fields["group"], d.fields["turn"]) for d in documents} == {("d", "d@3", 3)}


def test_a_prediction_continues_where_the_dialogue_ends():
    task = Dialogue()
    record = {"turns": TALK["turns"][:2], "candidates": ["times", "town"]}
    documents = split_documents(task, [task.parse(record, HERE, gold=False)])
    assert {(d.fields["history"], d.fields["turn"]) for d in documents} == {("A: the town\nB: the time", 3)}
    assert not any("gold" in d.fields for d in documents)
    assert (
        split_documents(task, [task.parse(TALK, HERE, gold=False)])[0].fields["history"]
        == documents[0].fields["history"]
    )


def drawn(records=PLAIN, **options):
    """One document for each turn to be predicted."""
    task = Dialogue(**{"candidates": 4, **options})
    groups = {}
    for document in split_documents(task, [task.parse(record, HERE, gold=True) for record in records]):
        groups.setdefault(document.fields["group"], []).append(document)
    return groups


def test_candidates_are_drawn_from_other_dialogues():
    groups = drawn()
    assert set(groups) == {f"d{d}@6" for d in range(4)}
    for name, documents in groups.items():
        texts = [document.fields["candidate"] for document in documents]
        assert len(set(texts)) == 4
        own = [text for text in texts if text.split()[1] == name[1]]
        assert own == [f"town {name[1]} 5"]
        assert [d.fields["candidate"] for d in documents if d.fields["gold"] == ("chosen",)] == own
    places = Counter(
        d.fields["number"] for ds in drawn(turns_per_dialogue=5).values() for d in ds if d.fields["gold"] == ("chosen",)
    )
    assert len(places) == 4


def test_draws_depend_on_their_seed_and_the_dialogue_alone():
    def texts(groups):
        return {name: [d.fields["candidate"] for d in documents] for name, documents in groups.items()}

    assert texts(drawn()) == texts(drawn())
    assert texts(drawn()) != texts(drawn(candidates_seed=1))
    more = texts(drawn(turns_per_dialogue=3))
    assert {name: more[name] for name in texts(drawn())} == texts(drawn())


def test_candidates_that_say_the_same_are_taken_once():
    same = [{"id": str(n), "turns": [turn("hello"), turn(f"end {n}")]} for n in range(4)]
    same += [{"id": "x", "turns": [turn("Hello "), turn("End  1")]}]
    groups = drawn(same)
    for documents in groups.values():
        assert len({" ".join(d.fields["candidate"].casefold().split()) for d in documents}) == 4
        assert sum(d.fields["gold"] == ("chosen",) for d in documents) == 1


def test_too_few_other_turns_are_named():
    with pytest.raises(
        UserError, match=r"task.candidates=20 needs 19 .* train.jsonl line 3, and its split has 18: lower"
    ):
        drawn(candidates=20)
    with pytest.raises(UserError, match="its split has 0"):
        drawn(PLAIN[:1])


@pytest.mark.parametrize(
    ("turns", "wanted", "expected"),
    [(10, 1, [9]), (10, 2, [4, 9]), (10, 3, [2, 5, 9]), (2, 1, [1]), (2, 5, [1]), (4, 9, [1, 2, 3])],
)
def test_turns_to_predict_are_evenly_spaced(turns, wanted, expected):
    assert asked(turns, wanted) == expected
    groups = drawn([{"id": f"d{n}", "turns": [turn(f"{n} {i}") for i in range(turns)]} for n in range(4)],
                   candidates=2, turns_per_dialogue=wanted)  # fmt: skip
    assert [name for name in groups if name[:2] == "d0"] == [f"d0@{place + 1}" for place in expected]


def test_evidence_is_found_in_the_written_history():
    task = Dialogue()
    record = {**TALK, "turns": [turn("hm"), turn(" "), *TALK["turns"]]}
    record["probes"] = [{"turn": 3, "start": 4, "end": 8, "distance": 5}]
    (document, _) = split_documents(task, [task.parse(record, HERE, gold=True)])
    (probe,) = document.fields["probes"]
    assert document.fields["history"][probe["start"] : probe["end"]] == "time"
    assert document.fields["turn"] == 5
