"""Planted sentences: they stand between sentences, and places move along."""

import pytest

from ctxlab.audit.changes.planting import can_plant, plant
from ctxlab.core.types import Document
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.generation import Generation
from ctxlab.tasks.ner import NER

TEXT = "Rain fell . It was late ."
TASK = Classification(labels=["x"])


@pytest.mark.parametrize(
    ("depth", "expected"),
    [(0.0, "Say so. Rain fell . It was late ."), (0.5, "Rain fell . Say so. It was late ."),
     (1.0, "Rain fell . It was late . Say so.")],
)  # fmt: skip
def test_a_sentence_stands_at_its_depth(depth, expected):
    late = TEXT.index("late")
    fields = {"text": TEXT, "gold": ("x",), "probes": [{"start": late, "end": late + 4, "distance": 0}]}
    form = plant(Document("a", fields, ""), TASK, "Say so.", depth)
    assert form.fields["text"] == expected
    piece = form.fields["probes"][0]
    assert expected[piece["start"] : piece["end"]] == "late"


def test_a_prompt_takes_a_sentence_and_words_with_tags_do_not():
    prompt = Document("a", {"prompt": "Write a story. Use many words."}, "")
    assert can_plant(prompt, Generation())
    assert plant(prompt, Generation(), "Say so.", 0.0).fields["prompt"] == "Say so. Write a story. Use many words."
    assert plant(prompt, Generation(), "Say so.", 1.0).fields["prompt"].endswith("Use many words. Say so.")
    assert not can_plant(Document("a", {"tokens": ["a"], "tags": ["O"]}, ""), NER())
