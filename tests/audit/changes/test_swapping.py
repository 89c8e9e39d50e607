"""Words swapped in documents of tasks: places, tags, spans and spared words."""

import numpy as np
import pytest

from ctxlab.audit.changes.swapping import change, swap
from ctxlab.audit.lists.words import parse, read_list
from ctxlab.core.types import Document
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.ner import NER
from ctxlab.tasks.qa import QA
from ctxlab.tasks.records.bio import spans

NAMES = read_list("names_en")
GROUP = {word.text: word.group for word in NAMES.words}


def draw(seed=0):
    return np.random.default_rng(seed)


def test_names_change_wherever_they_stand_and_tags_stay():
    tokens = ["Yesterday", "MARY", "met", "James", ".", "James", "likes", "Mary", "."]
    tags = ["O", "B-PER", "O", "B-PER", "O", "B-PER", "O", "B-PER", "O"]
    document = Document("a", {"tokens": tokens, "tags": tags, "sentence_starts": [0, 5]}, "")
    found = swap(document, NER(), NAMES, draw())
    for form, is_other in ((found.across, True), (found.within, False)):
        new = form.fields["tokens"]
        assert form.fields["tags"] == tags
        assert [word for word in new if word not in tokens[0:1]] != []
        assert new[1].isupper()
        assert new[1] == new[7].upper()
        assert new[3] == new[5] != "James"
        assert {new[3], new[7]}.isdisjoint(tokens)
        assert (GROUP[new[7]] != "female") == is_other
        assert (GROUP[new[3]] != "male") == is_other
        assert [new[i] for i in (0, 2, 4, 6, 8)] == [tokens[i] for i in (0, 2, 4, 6, 8)]
    assert [(one.start, one.end) for one in spans(found.across.fields["tags"])] == [(1, 2), (3, 4), (5, 6), (7, 8)]


def test_evidence_moves_with_its_sentence():
    text = "Elizabeth spoke . Ann was acquitted . The end ."
    at = text.index("Ann was")
    document = Document(
        "a", {"text": text, "gold": ("x",), "probes": [{"start": at, "end": at + 19, "distance": 0}]}, ""
    )
    for seed in range(5):
        form = swap(document, Classification(labels=["x"]), NAMES, draw(seed)).across
        piece = form.fields["probes"][0]
        assert form.fields["text"][piece["start"] : piece["end"]].endswith("was acquitted .")
        assert form.fields["text"][: piece["start"]].endswith("spoke . ")


def qa(context, question, answer):
    start = context.index(answer)
    answers = [{"text": answer, "start": start, "end": start + len(answer)}]
    return Document("a", {"context": context, "question": question, "answers": answers, "text_starts": [0]}, "")


def test_gold_answers_and_words_of_the_question_stay():
    document = qa("Susan saw Mary . James sang with Robert .", "What did James do with others?", "saw Mary")
    form = swap(document, QA(), NAMES, draw()).across
    new = form.fields["context"].split()
    assert (new[2], new[4]) == ("Mary", "James")
    assert "Susan" not in new
    assert "Robert" not in new
    answer = form.fields["answers"][0]
    assert form.fields["context"][answer["start"] : answer["end"]] == "saw Mary"
    assert swap(qa("Mary sang .", "Who?", "Mary"), QA(), NAMES, draw()) is None


def test_a_chinese_name_is_found_in_running_text_and_replaced_whole():
    document = Document("a", {"text": "昨天王秀英去了北京。", "gold": ("x",)}, "")
    words = read_list("names_zh")
    group = {word.text: word.group for word in words.words}
    found = swap(document, Classification(labels=["x"]), words, draw())
    for form, side in ((found.across, "male"), (found.within, "female")):
        text = form.fields["text"]
        assert text.startswith("昨天王")
        assert text.endswith("去了北京。")
        assert group[text.removeprefix("昨天王").removesuffix("去了北京。")] == side


@pytest.mark.parametrize(
    ("name", "text", "across", "within"),
    [
        ("pronouns_en", "She lost her book . HE told her so , and it was his .",
         "He lost his book . SHE told him so , and it was hers .",
         "They lost their book . THEY told them so , and it was theirs ."),
        ("pronouns_zh", "她说其他人看见他们。", "他说其他人看见她们。", "它说其他人看见它们。"),
    ],
    ids=["english", "chinese"],
)  # fmt: skip
def test_pronouns_become_those_of_the_other_group_and_those_of_none(name, text, across, within):
    document = Document("a", {"text": text, "gold": ("x",)}, "")
    found = swap(document, Classification(labels=["x"]), read_list(name), draw())
    assert found.across.fields["text"] == across
    assert found.within.fields["text"] == within


def test_a_tagged_word_is_replaced_by_one_of_as_many_tokens():
    words = parse("a: Li Bo_Xi\nb: Wu Ma_Yo Ke", "mine", "file")
    document = Document("a", {"tokens": ["Li", "came", "."], "tags": ["B-PER", "O", "O"]}, "")
    assert swap(document, NER(), words, draw()) is None  # no other single word of group a
    text = Document("a", {"text": "Li came .", "gold": ("x",)}, "")
    assert swap(text, Classification(labels=["x"]), words, draw()).within.fields["text"] == "Bo Xi came ."


def test_a_document_without_words_is_not_swapped():
    assert swap(Document("a", {"text": "Nobody came .", "gold": ("x",)}, ""), Classification(), NAMES, draw()) is None


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [({"label": "a"}, {"label": "a"}, 0.0), ({"label": "a"}, {"label": "b"}, 1.0),
     ({"tags": ["O", "B-X", "O"]}, {"tags": ["O", "O", "B-X"]}, 1.0),
     ({"tags": ["B-X", "B-X", "O"]}, {"tags": ["B-X", "O", "O"]}, 0.5), ({"tags": ["O"]}, {"tags": ["O"]}, 0.0)],
)  # fmt: skip
def test_a_change_is_whole_for_labels_and_a_share_for_tags(before, after, expected):
    assert change(before, after) == expected
