"""hOCR as Tesseract writes it: words, boxes from 0 to 1000, lines; what is missing is named by file, line and field."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers.read import read_file

HEAD = '<?xml version="1.0"?>\n<html>\n <head><meta name="ocr-system" content="tesseract"/></head>\n <body>\n'
PAGES = """
  <div class='ocr_page' id='page_1' title='image "a.png"; bbox 0 0 2000 1000; ppageno 0'>
   <span class='ocr_line' title="bbox 100 50 900 90"><span class='ocrx_word' title='bbox 100 50 300 90'>Total</span>
    <span class='ocrx_word' title='bbox 400 50 900 90; x_wconf 91'><strong>due<br/></strong> now</span></span>
   <span class='ocr_line' title="bbox 100 500 200 540"><span class='ocrx_word' title='bbox 100 500 200 540'> </span>
    <span class='ocrx_word' title='bbox 1900 900 2000 1000'>4&amp;7</span></span>
  </div>
  <div class='ocr_page' id='page_2' title='bbox 0 0 500 500'>
   <span class='ocr_line'><span class='ocrx_word' title='bbox 0 0 250 500'>end</span></span>
  </div>
 </body>
</html>
"""


def write(tmp_path, text, name="scan.hocr"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_words_boxes_and_lines(tmp_path):
    (record,) = read_file(write(tmp_path, HEAD + PAGES), "ner")
    assert record.fields == {
        "id": "scan",
        "tokens": ["Total", "due now", "4&7", "end"],
        "boxes": [[50, 50, 150, 90, 0], [200, 50, 450, 90, 0], [950, 900, 1000, 1000, 0], [0, 0, 500, 1000, 1]],
        "sentence_starts": [0, 2, 3],
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bbox 400 50 900 90;", "", r"scan.hocr line 8: the field 'title' of a word is ' x_wconf 91'"),
        ("bbox 400 50 900 90;", "bbox 900 50 400 90;", r"line 8: the field 'title' of a word"),
        ("bbox 0 0 2000 1000;", "", r"line 6: the field 'title' of a page"),
        ("class='ocr_page'", "class='page'", r"line 7 has a word outside of any ocr_page"),
        ("ocrx_word", "word", r"scan.hocr has no word of hOCR"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, old, new, message):
    with pytest.raises(UserError, match=message):
        read_file(write(tmp_path, HEAD + PAGES.replace(old, new)), "ner")


def test_a_folder_of_pages(tmp_path):
    for name in ("b", "a"):
        write(tmp_path, HEAD + PAGES, f"{name}.hocr")
    assert [record.fields["id"] for record in read_file(tmp_path, "ner")] == ["a", "b"]
