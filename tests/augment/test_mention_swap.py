"""Names replaced by others of their type, on documents worked out by hand."""

from collections import Counter

from ctxlab.augment.mention_swap import MentionSwap, apart
from ctxlab.core.augmentation import changed
from ctxlab.core.shape import LabelledSpan
from ctxlab.core.types import Document
from ctxlab.tasks.ner import NER
from ctxlab.tasks.relation import Relation
from tests.augment.documents import learned

TRAINED = [
    ("Ann met Bob Lee in Rome . Ann left Rome .", "B-P O B-P I-P O B-L O B-P O B-L O", [0, 7]),
    ("Cy saw Bob Lee and Bob Lee .", "B-P O B-P I-P O B-P I-P O", [0]),
]


def documents():
    task = NER()
    return task, [
        task.parse(
            {"id": str(i), "tokens": words.split(), "tags": tags.split(), "sentence_starts": starts}, "", gold=True
        )
        for i, (words, tags, starts) in enumerate(TRAINED)
    ]


def test_a_name_is_replaced_wherever_it_stands_and_places_follow():
    task, (first, *others) = documents()
    swap = learned(MentionSwap(dose=1.0), task, [first, *others])
    found = {" ".join(changed(swap, first, task, 1, epoch).fields["tokens"]) for epoch in range(100)}
    assert found == {
        f"{one} met {other} in Rome . {one} left Rome ." for one in ("Bob Lee", "Cy") for other in ("Ann", "Cy")
    }  # Rome is the only name of its type
    for epoch in range(20):
        new = changed(swap, first, task, 1, epoch).fields
        assert [new["tokens"][start] for start in new["sentence_starts"]] == [
            new["tokens"][0], new["tokens"][new["tokens"].index(".") + 1],
        ]  # fmt: skip
        assert new["tags"].count("B-P") == 3
        assert len(new["tags"]) == len(new["tokens"])


def test_a_name_is_drawn_as_often_as_it_occurs():
    task, trained = documents()
    swap = learned(MentionSwap(dose=1.0), task, trained)
    drawn = Counter(
        " ".join(changed(swap, trained[1], task, 1, epoch).fields["tokens"]).split(" saw ")[0] for epoch in range(2000)
    )
    assert set(drawn) == {"Ann", "Bob Lee"}  # other names than Cy: Ann twice, Bob Lee three times
    assert abs(drawn["Bob Lee"] / 2000 - 0.6) < 0.045


def test_relations_stay_between_the_same_entities_and_overlapping_mentions_stay():
    task = Relation()
    record = {
        "tokens": ["Ann", "of", "Old", "Rome", "met", "Bob", "Lee", "."],
        "entities": [
            {"type": "P", "mentions": [[0, 1]]},
            {"type": "L", "mentions": [[2, 4]]},
            {"type": "L", "mentions": [[3, 4]]},
            {"type": "P", "mentions": [[5, 7]]},
        ],
        "relations": [{"head": 0, "tail": 3, "label": "met"}],
        "sentence_starts": [0],
    }
    one = task.parse({"id": "a", **record}, "", gold=True)
    other = task.parse(
        {"id": "b", **record, "tokens": ["Cyrus", "of", "New", "Oslo", "met", "Dora", "Day", "."]}, "", gold=True
    )
    swap = learned(MentionSwap(dose=1.0), task, [one, other])
    seen = set()
    for epoch in range(100):
        new = changed(swap, one, task, 1, epoch).fields
        text = new["tokens"]
        names = [" ".join(text[start:end]) for entity in new["entities"] for start, end in entity["mentions"]]
        assert names[1:3] == ["Old Rome", "Rome"]
        assert {names[0], names[3]} <= {"Ann", "Bob Lee", "Cyrus", "Dora Day"}
        assert new["relations"] == one.fields["relations"]
        starts = [entity["mentions"][0][0] for entity in new["entities"]]
        assert set(task._annotations[new["key"]].owners) == set(starts)  # what the loss looks up
        seen.add(names[0])
    assert seen == {"Bob Lee", "Cyrus", "Dora Day"}


def test_spans_that_overlap_no_other():
    spans = [LabelledSpan(*one, "") for one in [(0, 5), (1, 2), (2, 3), (5, 7), (8, 9), (8, 10), (10, 11)]]
    brute = [a for a in spans if all(a is b or a.end <= b.start or b.end <= a.start for b in spans)]
    assert list(apart(spans)) == brute == [spans[3], spans[6]]


def test_a_type_without_another_name_is_left_alone():
    task, trained = documents()
    alone = Document("x", {"tokens": ["Rome"], "tags": ["B-L"]}, "")
    assert changed(learned(MentionSwap(dose=1.0), task, trained), alone, task, 1, 0) is alone
