"""Blocks and headings, worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.text.paragraphs import blocks


def read(text):
    """Headings with a # in front, paragraphs as they are; a run-in heading is separated by a bar."""
    found = []
    for block in blocks(text):
        piece = text[block.start : block.end]
        if block.heading_end is None:
            found.append(piece.strip())
            continue
        cut = block.heading_end - block.start
        found.append("#" + "|".join(part for part in (piece[:cut].strip(), piece[cut:].strip()) if part))
    return found


SENTENCE = "我们今天去公园，明天再回来。"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # an indent begins a paragraph, and a numbered line is a heading
        (f"第三章　海边\n　　{SENTENCE}\n　　{SENTENCE}\n第四章　山里\n　　{SENTENCE}",
         ["#第三章　海边", SENTENCE, SENTENCE, "#第四章　山里", SENTENCE]),
        # lines that end in stops are paragraphs
        (f"一、总论\n{SENTENCE}\n{SENTENCE}\n（二）分论\n他说：“好。”",
         ["#一、总论", SENTENCE, SENTENCE, "#（二）分论", "他说：“好。”"]),
        # lines that are broken anywhere are one paragraph
        ("我们今天去公\n园，明天再回\n来，然后休息。\n", ["我们今天去公\n园，明天再回\n来，然后休息。"]),
        # an enumeration is no heading: it ends in a stop
        ("一、先洗手。\n二、再吃饭。", ["一、先洗手。", "二、再吃饭。"]),
        ("第１話 始まり\n「行こう。」\n彼は言った。\n", ["#第１話 始まり", "「行こう。」", "彼は言った。"]),
        ("Глава 5\nОн пришёл.\nОна ушла.\n", ["#Глава 5|Он пришёл.\nОна ушла."]),
        ("บทที่ ๒\nเขามาถึง", ["#บทที่ ๒|เขามาถึง"]),
        ("Kapitel 4\nEr kam.", ["#Kapitel 4|Er kam."]),
        ("제 3 장\n그가 왔다.", ["#제 3 장|그가 왔다."]),
        ("CHAPTER IV\nHe came.\nShe left.\n\nA Walk\n\nThey went.",
         ["#CHAPTER IV|He came.\nShe left.", "#A Walk", "They went."]),
        ("序言\n\n正文在这里。", ["#序言", "正文在这里。"]),
        ("“Hello”\n\nHe said.", ["“Hello”", "He said."]),
        (" \n\n", []),
    ],
)  # fmt: skip
def test_blocks_by_hand(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ("제1장 출항", "제2장 폭풍", "배는 항구를 떠났다."),
        ("บทที่ 1", "บทที่ 2", "เรือออกจากท่าเมื่อวานนี้"),
        ("अध्याय 1", "अध्याय 2", "जहाज़ बंदरगाह से निकला।"),
        ("Глава 1", "Глава 2", "Корабль вышел из порта."),
        ("الفصل الأول", "الفصل الثاني", "خرجت السفينة من الميناء."),
        ("باب اول", "باب دوم", "جہاز بندرگاہ سے نکلا۔"),
        ("អធ្យាយ ១", "អធ្យាយ ២", "នាវាចាកចេញ។"),
        ("Chapitre premier", "Chapitre II", "Le navire quitta le port."),
        ("CHAPTER I", "CHAPTER II", 'She said: "The ship left."'),
    ],
)
def test_lines_that_end_in_stops_are_paragraphs_in_every_script(first, second, sentence):
    text = "\n".join([first, sentence, sentence, second, sentence])
    assert read(text) == [f"#{first}", sentence, sentence, f"#{second}", sentence]


def test_lines_that_are_broken_by_width_are_one_paragraph():
    text = "The ship left the port before\nnoon. Nobody saw it go, and\nall was calm.\nPart 2 of the\ntale begins."
    assert read(text) == [text]


@given(st.text(st.sampled_from("第三章一、。！\n \u3000aB字#1“"), max_size=60))
def test_every_visible_character_is_in_one_block(text):
    found = list(blocks(text))
    places = [i for block in found for i in range(block.start, block.end) if not text[i].isspace()]
    assert places == [i for i, character in enumerate(text) if not character.isspace()]
    assert all(not text[block.start].isspace() for block in found)
    assert all(block.heading_end is None or block.start < block.heading_end <= block.end for block in found)
