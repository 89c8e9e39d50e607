"""FUNSD's blocks of words: tags by the blocks' labels, boxes scaled to the page; mistakes are named by their field."""

import copy
import json

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers.read import read_file

FORM = {
    "form": [
        {
            "id": 0, "label": "question", "text": "Sold to:", "box": [10, 20, 110, 40], "linking": [[0, 1]],
            "words": [{"text": "Sold", "box": [10, 20, 50, 40]}, {"text": "to:", "box": [60, 20, 110, 40]}],
        },
        {
            "id": 1, "label": "answer", "text": "Orlan", "box": [150, 20, 200, 40], "linking": [],
            "words": [{"text": "", "box": [120, 20, 130, 40]}, {"text": "Orlan", "box": [150, 20, 200, 40]}],
        },
        {"id": 2, "label": "other", "words": [{"text": "7", "box": [0, 380, 20, 400]}]},
        {"id": 3, "label": "answer", "words": []},
    ]
}  # fmt: skip


def read(tmp_path, form, notes=None):
    path = tmp_path / "page.json"
    path.write_text(json.dumps(form, indent=1))
    return read_file(path, "ner", notes)


def test_words_tags_and_boxes(tmp_path):
    notes = []
    (record,) = read(tmp_path, FORM, notes)
    assert record.fields["tokens"] == ["Sold", "to:", "Orlan", "7"]
    assert record.fields["tags"] == ["B-question", "I-question", "B-answer", "O"]
    assert record.fields["sentence_starts"] == [0, 2, 3]
    # the rightmost word ends at 200 and the lowest at 400
    assert record.fields["boxes"] == [
        [50, 50, 250, 100, 0], [300, 50, 550, 100, 0], [750, 50, 1000, 100, 0], [0, 950, 100, 1000, 0]
    ]  # fmt: skip
    assert len(notes) == 2
    assert "1 words without a character" in notes[0]
    assert "1 pages do not say how large they are" in notes[1]


def test_a_page_that_says_its_size(tmp_path):
    notes = []
    (record,) = read(tmp_path, {**FORM, "width": 1000, "height": 800}, notes)
    assert record.fields["boxes"][2] == [150, 25, 200, 50, 0]
    assert len(notes) == 1


def test_blocks_without_labels_have_no_tags(tmp_path):
    form = copy.deepcopy(FORM)
    for block in form["form"]:
        block.pop("label")
    (record,) = read(tmp_path, form)
    assert "tags" not in record.fields


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            {"text": "to:", "box": [60, 20, 110]},
            r"The field 'form\[0\].words\[1\].box' of page.json.* is \[60, 20, 110\]",
        ),
        ({"text": "to:", "box": [110, 20, 60, 40]}, r"form\[0\].words\[1\].box"),
        ({"text": "to:"}, r"form\[0\].words\[1\].box' of page.json.* is None"),
        ({"box": [60, 20, 110, 40]}, r"The field 'form\[0\].words\[1\]' of page.json"),
        ("to:", r"The field 'form\[0\].words\[1\]' of page.json.* is to:"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, word, message):
    form = copy.deepcopy(FORM)
    form["form"][0]["words"][1] = word
    with pytest.raises(UserError, match=message):
        read(tmp_path, form)
