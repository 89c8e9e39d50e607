"""What holds for every augmentation on every task that it fits: labels are read back, and documents depend on little.

The oracle reads the labels of the changed documents as a scorer would, through the task, and shares no code with what
moved them.
"""

import pytest

from ctxlab.config import catalogue
from ctxlab.config.build import build, locate
from ctxlab.core.augmentation import Augmentation, changed, generator
from ctxlab.core.errors import UserError
from ctxlab.workbench.augmenting import check_fits
from tests.augment.documents import OF_ALL, all_changed, learned

NAMES = [name for name in catalogue.options("augment") if name not in ("none", "back_translation")]
REPLACES_NAMES = {"mention_swap", "label_wise", "typos", "case", "ocr", "unicode"}
"""Augmentations by which the text of a name may change."""


def made(name, **changes):
    content = catalogue.read(catalogue.option_file("augment", name))
    return build(content | {"share": 1.0, "dose": 0.5, **changes}, Augmentation)


def fitting():
    for name in NAMES:
        for kind, documents in OF_ALL.items():
            try:
                check_fits(made(name), documents(1)[0])
            except UserError:
                continue
            yield name, kind


FITTING = list(fitting())


def test_what_fits_which_task_is_what_the_documentation_says():
    everywhere = set(OF_ALL)
    expected = dict.fromkeys(("typos", "synonyms", "case", "ocr", "unicode"), everywhere)
    expected |= {
        "mention_swap": {"ner", "relation"},
        "label_wise": {"ner"},
        "distractors": everywhere - {"translation"},
    }
    assert {name: {kind for one, kind in FITTING if one == name} for name in NAMES} == expected


@pytest.mark.parametrize(("name", "kind"), FITTING)
def test_labels_read_back_are_the_same_and_so_are_texts_that_were_not_replaced(name, kind):
    task, documents = OF_ALL[kind]()
    augmentation = made(name)
    new = all_changed(augmentation, task, documents)
    assert any(one is not other for one, other in zip(documents, new, strict=True))
    for before, after in zip(documents, new, strict=True):
        assert after.id == before.id
        assert after.fields.keys() <= before.fields.keys()
        spans = [task.labelled_spans(one) for one in (before, after)]
        assert [span.label for span in spans[0]] == [span.label for span in spans[1]]
        said = [texts_of(one, task) for one in (before, after)]
        if name not in REPLACES_NAMES or task.shape.fixed:
            assert said[0] == said[1]
        for key in ("gold", "summary", "target", "hypothesis", "question", "relations"):
            assert after.fields.get(key) == before.fields.get(key)
        if "tags" in before.fields:
            assert len(after.fields["tags"]) == len(after.fields["tokens"])
        for answer in after.fields.get("answers", ()):
            assert after.fields["context"][answer["start"] : answer["end"]] == answer["text"]
        for start in after.fields.get("sentence_starts", ())[1:]:
            assert after.fields["tokens"][start - 1] == "." or name == "label_wise"


def texts_of(document, task):
    text = document.fields[task.shape.text]
    return [text[span.start : span.end] for span in task.labelled_spans(document)]


@pytest.mark.parametrize(("name", "kind"), FITTING)
def test_a_changed_document_passes_the_checks_of_its_task(name, kind, tokenizer):
    """Parsed and encoded anew: as many labelled tokens as before, whatever their text is."""
    task, documents = OF_ALL[kind]()
    if kind == "summarization" or kind == "translation":
        task = task.for_kind("decoder")
    task.learn_labels(documents)
    task.prepare(tokenizer)
    new = all_changed(made(name), task, documents)
    task.check_labels(new)
    for one in task.encode(new, tokenizer):
        assert len(one.input_ids) == len(one.word_ids) == len(one.labels)


@pytest.mark.parametrize("name", NAMES)
def test_a_document_depends_on_itself_the_seed_and_the_epoch_alone(name):
    task, documents = OF_ALL["ner"]()
    augmentation = learned(made(name), task, documents)
    first = [changed(augmentation, one, task, 3, 2).fields for one in documents]
    backwards = [changed(augmentation, one, task, 3, 2).fields for one in reversed(documents)]
    assert first == backwards[::-1]
    assert first == [changed(learned(made(name), task, documents), one, task, 3, 2).fields for one in documents]
    if name != "case":
        assert first != [changed(augmentation, one, task, 3, 1).fields for one in documents]
        assert first != [changed(augmentation, one, task, 4, 2).fields for one in documents]


@pytest.mark.parametrize("name", NAMES)
def test_without_a_share_a_document_is_the_same_object(name):
    task, documents = OF_ALL["ner"]()
    augmentation = learned(made(name, share=0), task, documents)
    assert all(changed(augmentation, one, task, 1, epoch) is one for one in documents for epoch in range(3))


def test_a_share_is_the_fraction_of_the_documents():
    task, documents = OF_ALL["ner"](1)
    augmentation = made("typos", share=0.3)
    number = sum(changed(augmentation, documents[0], task, 1, epoch) is not documents[0] for epoch in range(2000))
    assert abs(number / 2000 - 0.3) < 4 * (0.3 * 0.7 / 2000) ** 0.5


@pytest.mark.parametrize("name", ["typos", "synonyms", "case", "ocr", "label_wise"])
def test_a_dose_is_the_fraction_of_the_words_and_larger_doses_contain_smaller_ones(name):
    task, documents = OF_ALL["ner"](1)
    places = {}
    for dose in (0.25, 0.5, 1.0):
        augmentation = learned(made(name, dose=dose), task, documents)
        found = []
        for epoch in range(100):
            new = augmentation.change(documents[0], task, generator(documents[0], 1, epoch))
            pairs = zip(documents[0].fields["tokens"], new.fields["tokens"], strict=True)
            found.append({place for place, (one, other) in enumerate(pairs) if one != other})
        places[dose] = found
    for low, middle, high in zip(*places.values(), strict=True):
        assert low <= middle <= high
    counts = {dose: sum(map(len, found)) for dose, found in places.items()}
    assert counts[0.25] / counts[1.0] == pytest.approx(0.25, abs=0.03)
    assert counts[0.5] / counts[1.0] == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dose", [0, 1.5, -0.1])
def test_a_dose_out_of_range_is_refused(name, dose):
    with pytest.raises(UserError, match=rf"dose={dose} is out of range"):
        made(name, dose=dose)


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        (
            "mention_swap",
            "classification",
            "needs documents with mentions with types, which those of task=class",
        ),
        ("label_wise", "relation", "needs documents with a tag per word, which those of task=relation"),
        ("distractors", "translation", "needs documents with a text that may hold more sentences"),
    ],
)
def test_a_task_that_does_not_fit_is_named(name, kind, said):
    with pytest.raises(UserError, match=said):
        check_fits(made(name), OF_ALL[kind](1)[0])


@pytest.mark.parametrize("task", ["lm", "mlm", "dialogue", "recommendation", "generation", "probe", "retrieval"])
def test_a_task_whose_text_must_not_change_is_named(task):
    with pytest.raises(UserError, match=f"augment=typos changes the text of documents, and of task={task} that would"):
        check_fits(made("typos"), locate(catalogue.read(catalogue.option_file("task", task))["_target_"]))
