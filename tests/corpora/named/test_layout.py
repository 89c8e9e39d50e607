"""Generated pages: the place of a word says its type, the words do not, and a model learns it from boxes alone."""

import json
from collections import Counter

import pytest

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.corpora.named.layout import COLUMNS, CORNERS
from ctxlab.data.sources.generated import Generated
from ctxlab.tasks.records.bio import is_tag


def pages(split="train", documents=40, words=60, seed=1):
    counts = dict.fromkeys(("documents", "validation_documents", "test_documents"), documents)
    source = Generated(**counts, words_per_document=words, corpus="layout")
    return [record.fields for record in source.load("ner", split, seed)]


def values(records):
    """(word, box, type) of every value."""
    rows = [row for one in records for row in zip(one["tokens"], one["boxes"], one["tags"], strict=True)]
    return [(word, box, tag[2:]) for word, box, tag in rows if tag != "O"]


@pytest.mark.parametrize("words", [20, 61, 500])
def test_pages_are_well_formed(words):
    for one in pages(documents=4, words=words):
        assert len(one["tokens"]) == len(one["boxes"]) == len(one["tags"]) == words
        assert all(is_tag(tag) for tag in one["tags"])
        assert all(0 <= x0 <= x1 <= 1000 and 0 <= y0 <= y1 <= 1000 for x0, y0, x1, y1, _ in one["boxes"])
        assert [probe["start"] for probe in one["probes"]] == [i for i, tag in enumerate(one["tags"]) if tag != "O"]
        assert one["sentence_starts"][0] == 0
        last = max(box[4] for box in one["boxes"])
        assert last > 2 if words == 500 else last == 0


def test_the_place_says_the_type():
    """Written again from the description, not from the code: columns from 380 on, 160 wide; halves of the page."""
    for word, (x0, y0, *_), kind in values(pages()):
        if word.isdigit():
            assert kind == COLUMNS[(x0 - 380) // 160]
        else:
            assert kind == CORNERS[2 * (y0 > 500) + (x0 > 500)]


def test_the_text_does_not():
    """The best guess from the word before is right in a quarter of the cases, on documents of another split."""
    known: dict[tuple[str, str], Counter] = {}
    for split in ("train", "test"):
        right = total = 0
        for one in pages(split, documents=200):
            for i, tag in enumerate(one["tags"]):
                if tag == "O":
                    continue
                key = (one["tokens"][i - 1] if i else "", str(one["tokens"][i].isdigit()))
                right += bool(known.get(key)) and known[key].most_common(1)[0][0] == tag
                total += 1
                if split == "train":
                    known.setdefault(key, Counter())[tag] += 1
    assert right / total == pytest.approx(0.25, abs=0.05)


def test_documents_depend_on_seed_split_and_index_alone():
    assert pages() == pages()
    assert pages(seed=2) != pages()
    train, test = ({word for word, _, _ in values(pages(split)) if not word.isdigit()} for split in ("train", "test"))
    assert not train & test


@pytest.mark.parametrize(
    ("options", "task", "message"),
    [
        ({"corpus": "layuot"}, "ner", "there is no corpus .layuot.; did you mean .layout."),
        ({"corpus": "layout"}, "qa", "data.corpus=layout has documents for task=ner, not for task=qa"),
        ({"corpus": "layout", "language": "zh"}, "ner", "data.corpus=layout has no documents in data.language=zh"),
    ],
)
def test_what_cannot_work_is_refused(options, task, message):
    with pytest.raises(UserError, match=message):
        Generated(**options).load(task, "train", 1)


PAGES = (
    "train", "task=ner", "model=tiny_bert", "data.corpus=layout", "data.words_per_document=60", "data.documents=200",
    "data.validation_documents=10", "data.test_documents=40", "context=512", "strategy=dense", "trainer.max_steps=200",
    "trainer.tokens_per_step=1024", "optimizer.lr=3e-3", "tracking=none",
)  # fmt: skip
NUMBERS = ("task.numbers_field=boxes", "model.numbers.kind=boxes")


@pytest.mark.slow
@pytest.mark.parametrize(("words", "low", "high"), [(NUMBERS, 0.9, 1.0), ((), 0.2, 0.3)], ids=["boxes", "text alone"])
def test_boxes_are_enough_and_text_alone_is_chance(words, low, high, tmp_path):
    assert main([*PAGES, *words, f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    metrics = json.loads((tmp_path / "run" / "result.json").read_text())["metrics"]["test"]
    assert low <= metrics["f1"] <= high
    assert low <= metrics["recall"] <= high
