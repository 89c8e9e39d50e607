"""Every grammar of every language: reproducible documents of exactly the requested length, with names of their own
split. Grammars are found by listing them: the English one of each task, and those in Chinese. Probes have options of
their own, and are tested with these.
"""

import random
import re

import numpy as np
import pytest

from ctxlab.config import catalogue
from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar import chinese
from ctxlab.corpora.grammar import names as english
from ctxlab.data.sources.generated import Generated
from ctxlab.text import units
from ctxlab.text.language import by_script
from tests.contracts.task_runs import form, supports

GRAMMARS = [(task, "en") for task in catalogue.options("task") if task != "probe"]
GRAMMARS += [(task, "zh") for task in sorted(chinese.WRITERS)]

READ = ("file", "tokens", "context", "premise", "source", "document", "history", "turns", "prompt", "text")
"""Fields with what is read, the first that a record has: the length is that of this text."""

LEAST = {"recommendation": 41, "dialogue": 41, "generation": 60}
"""Words of the shortest documents with an ambiguous part, where they are more than ``ROOMY``."""

ROOMY = 40
NAMES = {"en": english.names, "zh": chinese.names}
SPLITS = ("train", "validation", "test")
SHORT = {"words_per_document": 120, "evidence_distance": [16, 40], "ambiguous_share": 0.5}


@pytest.fixture(params=GRAMMARS, ids="-".join)
def grammar(request):
    return request.param


def load(grammar, split="train", seed=1, documents=1, **options):
    task, language = grammar
    counts = dict.fromkeys(("documents", "validation_documents", "test_documents"), documents)
    source = Generated(**counts, language=language, **(SHORT | options))
    return [record.fields for record in source.load(task, split, seed)]


def read_text(record):
    """The text that is read; of a dialogue, all but the turn to predict."""
    if "documents" in record:  # of a query, the document that answers it
        return next(one["text"] for one in record["documents"] if one["id"] in record["relevant"])
    value = record[next(name for name in READ if name in record)]
    if isinstance(value, str):
        return value
    return " ".join([turn["text"] for turn in value[:-1]] if isinstance(value[0], dict) else value)


def num_words(record, language):
    """Words and punctuation, as the grammars count them: ``'s`` is a word, and so is what has a hyphen."""
    if language == "zh":
        return units.num_words(read_text(record).replace(" ", ""))
    if "tokens" in record:
        return len(record["tokens"])
    return len(re.findall(r"\w+|[^\w\s]", read_text(record).replace("'s", " s").replace("-", "")))


def strings(value):
    """All texts of a record, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from strings(part)


def texts(record):
    """All texts of a record except a translation, whose names are inflected."""
    return strings({key: value for key, value in record.items() if "target" not in record or key == "source"})


def test_a_document_is_a_function_of_seed_split_and_index_alone(grammar):
    documents = load(grammar, documents=3)
    random.seed(7)
    np.random.seed(7)
    assert load(grammar, documents=5)[:3] == documents
    assert len({read_text(document) for document in documents}) == 3
    for other in (load(grammar, seed=2), load(grammar, "validation"), load(grammar, "test")):
        assert read_text(other[0]) != read_text(documents[0])


@pytest.mark.covering
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_documents_are_of_exact_length_and_the_task_reads_them(share, grammar):
    task, language = grammar
    read = form(task, next(kind for kind in ("encoder", "decoder", "encoder_decoder") if supports(task, kind)))
    least = max(LEAST.get(task, 20), ROOMY if share else 0)
    for words in (least, least + 1, least + 17, 300 if share else 2000):
        options = {"words_per_document": words, "ambiguous_share": share, "evidence_distance": [1, 8]}
        for record in load(grammar, documents=4, **options):
            assert num_words(record, language) == words
            assert not any("<" in text for text in strings(record))  # nothing is left of the templates
            document = read.parse(record | {"id": "a"}, "here", gold=True)
            read.collect([document])
            assert read.expand(document)
            assert by_script(read_text(record)) == language


def test_no_name_is_in_two_splits(grammar):
    """Neither in the text nor in questions or answers; Chinese names are searched for as substrings."""
    task, language = grammar
    pools = {split: set(NAMES[language](split)) for split in SPLITS}
    for split in SPLITS:
        records = load(grammar, split, documents=4, words_per_document=300, ambiguous_share=1.0)
        text = ("" if language == "zh" else " ").join(told for record in records for told in texts(record))
        words = set(re.findall(r"\w+", text))
        for other, pool in pools.items():
            used = {name for name in pool if name in text} if language == "zh" else words & pool
            assert bool(used) == (split == other and task != "generation"), other  # its prompts name nobody


def test_a_distance_that_never_fits_is_refused(grammar):
    with pytest.raises(UserError, match="evidence_distance"):
        load(grammar, words_per_document=60, evidence_distance=[100])
