"""Tables with the places of words or cells are read as boxes; a cell that is no number is named by line and column."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers.read import read_file

BOXES = "word,tag,x0,y0,x1,y1,page\nTotal,O,10,20,50,30,0\n417,B-DEBIT,600,20,640,30,0\n"
CELLS = """document,row,column,word,tag
a,1,1,Item,O
a,1,2,Price in euros,O
a,2,1,old lamp,B-ITEM
a,2,2,12,B-PRICE
b,1,1,7,O
"""


def read(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return [record.fields for record in read_file(path, "ner")]


def test_words_with_boxes(tmp_path):
    (fields,) = read(tmp_path, BOXES)
    assert fields["tokens"] == ["Total", "417"]
    assert fields["tags"] == ["O", "B-DEBIT"]
    assert fields["boxes"] == [[10, 20, 50, 30, 0], [600, 20, 640, 30, 0]]


def test_without_tags_for_prediction(tmp_path):
    (fields,) = read(tmp_path, "word,x0,y0,x1,y1\nTotal,10,20,50,30\n")
    assert fields["boxes"] == [[10, 20, 50, 30]]
    assert "tags" not in fields


def test_cells_divide_the_page_as_their_table_does(tmp_path):
    first, second = read(tmp_path, CELLS)
    assert first["tokens"] == ["Item", "Price", "in", "euros", "old", "lamp", "12"]
    assert first["tags"] == ["O", "O", "O", "O", "B-ITEM", "I-ITEM", "B-PRICE"]
    left, right = [0, 0, 500, 500, 0], [500, 0, 1000, 500, 0]
    low = [[0, 500, 500, 1000, 0], [500, 500, 1000, 1000, 0]]
    assert first["boxes"] == [left, right, right, right, low[0], low[0], low[1]]
    assert second["boxes"] == [[0, 0, 1000, 1000, 0]]


def test_words_without_places_are_as_they_were(tmp_path):
    (fields,) = read(tmp_path, "word,tag\nTotal,O\n417,B-DEBIT\n")
    assert set(fields) == {"id", "tokens", "tags", "sentence_starts"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOXES.replace("600", "left"), "The column 'x0' of table.csv line 3 is 'left': give a number, 0 or more"),
        (BOXES.replace("600", "-1"), "The column 'x0' of table.csv line 3"),
        (BOXES.replace("30,0\n417", "30,nan\n417"), "The column 'page' of table.csv line 2 is 'nan'"),
        (CELLS.replace("a,2,1", "a,2.5,1"), "The column 'row' of table.csv line 4 is '2.5': give a whole number"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)
