"""Baselines beside the model's scores: the same metric on the same whole documents."""

from dataclasses import replace

import pytest

from ctxlab.core.result import rows
from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation import baselines
from ctxlab.evaluation.baselines import with_baselines
from ctxlab.evaluation.metrics.entities import score
from ctxlab.reporting import references
from ctxlab.tasks.ner import NER


def document(name: str, words: str, tags: str) -> Document:
    return Document(name, {"tokens": words.split(), "tags": tags.split()}, name)


TRAINING = [document("t", "Ada met Bo in Rome", "B-PER O B-PER O B-LOC")]
SCORED = [document("a", "Ada saw Rome and Cy", "B-PER O B-LOC O B-PER"), document("b", "Bo left", "B-LOC O")]


def scores():
    return score(SCORED, [Prediction(one.id, ["O"] * len(one.fields["tokens"]), [True] * 5) for one in SCORED])


def test_the_dictionary_is_a_row_of_the_first_table():
    found = with_baselines(scores(), NER(), SCORED, TRAINING)
    assert found.metrics == scores().metrics  # the model's
    model, dictionary = rows(next(table for table in found.tables if table.name == "overall"))
    assert (model["entities"], model["f1"]) == ("the model", 0.0)
    assert dictionary["entities"] == "mentions of the training documents"
    assert (dictionary["gold"], dictionary["precision"], dictionary["recall"]) == (4, 2 / 3, 2 / 4)
    assert dictionary["f1"] == pytest.approx(2 * 2 / (3 + 4))
    assert [one.name for one in references.of_rows([model, dictionary], "f1")] == ["mentions of the training documents"]


@pytest.mark.parametrize(("documents", "training"), [(SCORED, []), ([], TRAINING)])
def test_without_documents_nothing_is_added(documents, training):
    before = scores()
    assert with_baselines(before, NER(), documents, training) is before


def test_scores_without_tables_stay_so():
    before = replace(scores(), tables=[])
    assert with_baselines(before, NER(), SCORED, TRAINING) is before


def test_a_training_set_without_mentions_finds_nothing():
    found = with_baselines(scores(), NER(), SCORED, [document("t", "Ada met", "O O")])
    assert rows(found.tables[0])[1]["f1"] == 0.0


def test_pages_know_the_names():
    assert (baselines.OVERALL, baselines.OF_MODEL) == (references.OVERALL, references.OF_MODEL)
