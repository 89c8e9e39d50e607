"""Synonyms of a table and of a thesaurus file, on sentences worked out by hand."""

import pytest

from ctxlab.augment.changing import thesaurus
from ctxlab.augment.synonyms import Synonyms
from ctxlab.core.augmentation import changed
from ctxlab.core.errors import UserError
from ctxlab.tasks.ner import NER
from tests.augment.documents import all_changed

MYTHES = """UTF-8
small|3
(adj)|little (similar term)|tiny|large (antonym)
(adj)|minor|of little size
(adj)|Small
light|2
(noun)|lamp|illumination (generic term)
(adj)|bright
house|1
(noun)|home|dwelling house|building (generic term)|shelter (related term)
odd man out|1
(noun)|stranger
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "th.dat"
    path.write_text(MYTHES)
    return path


def test_only_synonyms_that_are_single_words_are_read(file):
    assert thesaurus.mythes(str(file)) == {
        "small": [["little", "tiny"], ["minor"]], "house": [["home"]], "odd man out": [["stranger"]],
    }  # fmt: skip


def document(words, tags=None, **fields):
    record = {"id": "a", "tokens": words.split(), "tags": (tags or "O " * len(words.split())).split()}
    found = NER().parse(record, "", gold=True)
    return type(found)(found.id, {**found.fields, **fields}, "")


def possible(augmentation, one, epochs=200):
    task = NER()
    return {" ".join(changed(augmentation, one, task, 1, epoch).fields["tokens"]) for epoch in range(epochs)}


def test_every_synonym_occurs_with_the_capitals_of_the_word(file):
    synonyms = Synonyms(dose=1.0, thesaurus=str(file))
    assert possible(synonyms, document("Small HOUSE light")) == {
        "Little HOME light",
        "Tiny HOME light",
        "Minor HOME light",
    }


def test_senses_are_equally_likely(file):
    synonyms, one = Synonyms(dose=1.0, thesaurus=str(file)), document("small")
    found = [changed(synonyms, one, NER(), 1, epoch).fields["tokens"][0] for epoch in range(2000)]
    assert abs(found.count("minor") / 2000 - 0.5) < 0.045
    assert abs(found.count("tiny") / 2000 - 0.25) < 0.04


def test_words_in_entities_stay(file):
    synonyms = Synonyms(dose=1.0, thesaurus=str(file))
    assert possible(synonyms, document("small House in a house", "O B-LOC O O O"), 20) <= {
        f"{one} House in a home" for one in ("little", "tiny", "minor")
    }


def test_the_table_is_english_and_leaves_other_languages_alone():
    synonyms = Synonyms(dose=1.0)
    assert possible(synonyms, document("the huge house")) == {
        f"the {one} {other}"
        for one in ("enormous", "immense", "gigantic", "vast", "colossal")
        for other in ("dwelling", "residence")
        if one in thesaurus.english()["huge"][0]
    }
    assert possible(synonyms, document("the huge house", language="de"), 5) == {"the huge house"}


def test_every_word_of_the_table_is_in_one_line_and_may_stand_for_the_others():
    lines = [line for line in thesaurus.TABLE.read_text().splitlines() if not line.startswith("#")]
    words = [word for line in lines for word in line.split(": ")[1].split()]
    assert len(words) == len(set(words)) > 500
    assert {line.split(": ")[0] for line in lines} == {"adjective", "adverb", "noun", "verb"}
    assert all(len(line.split(": ")[1].split()) > 1 for line in lines)
    assert set(thesaurus.english()) == set(words)
    pairs = {(word, other) for word, [others] in thesaurus.english().items() for other in others}
    assert pairs == {(other, word) for word, other in pairs}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "does not name its encoding"),
        ("klingon\nsmall|1\n(adj)|little\n", "does not name its encoding"),
        ("UTF-8\nsmall\n", "Line 2 of the thesaurus .* is 'small', and a word with the number of its senses"),
        ("UTF-8\nsmall|2\n(adj)|little\n", "has no synonyms that|Line 2"),
        ("UTF-8\nsmall|1\n(adj)|large (antonym)\n", "has no synonyms that are single words"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, content, said):
    path = tmp_path / "th.dat"
    path.write_text(content)
    with pytest.raises(UserError, match=said):
        Synonyms(dose=1.0, thesaurus=str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"thesaurus .*none\.dat cannot be read \(No such file"):
        Synonyms(dose=1.0, thesaurus=str(tmp_path / "none.dat"))


def test_a_file_in_latin_1_is_read(tmp_path):
    path = tmp_path / "th.dat"
    path.write_bytes("ISO8859-1\nschön|1\n(adj)|hübsch\n".encode("latin-1"))
    assert possible(Synonyms(dose=1.0, thesaurus=str(path)), document("schön"), 2) == {"hübsch"}
    assert all_changed(Synonyms(dose=1.0, thesaurus=str(path)), NER(), [document("wie")])[0].fields["tokens"] == ["wie"]
