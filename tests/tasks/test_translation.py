"""Tasks that generate texts: records, which window generates what, and what a perfect model would score."""

from dataclasses import replace

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.types import GeneratedTokens
from ctxlab.data.encode import encode_documents
from ctxlab.data.sources.generated import Generated
from ctxlab.evaluation.metrics import summaries, translations
from ctxlab.runtime.forward import window_targets
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.select import Select
from ctxlab.strategies.reading.truncate import Truncate
from ctxlab.tasks.summarization import Summarization
from ctxlab.tasks.translation import Translation
from tests.tasks.conftest import byte_level

SMALL = {"documents": 3, "words_per_document": 120, "evidence_distance": [16, 40], "ambiguous_share": 0.5}


@pytest.fixture(scope="module")
def letters():
    """A tokenizer whose decoding returns the original text."""
    return byte_level("$A </s>", add_prefix_space=False)


def documents(task, **options):
    records = Generated(**{**SMALL, **options}).load(task.name, "train", 1)
    whole = [task.parse(record.fields, record.origin, gold=True) for record in records]
    return [part for document in whole for part in task.expand(document)]


def perfect(task, reading, length, given, tokenizer):
    """Predictions of a model that generates exactly the target of each window."""
    task.prepare(tokenizer)
    predictions = []
    for document, encoded in zip(given, task.encode(given, tokenizer), strict=True):
        windows = reading.windows(encoded, length)
        written = [
            GeneratedTokens(target[target != 1], 0.0) for target in window_targets(encoded, windows)
        ]  # 1 ends a text
        merged = reading.merge(windows, [np.zeros((len(w), 0), np.float32) for w in windows], len(encoded))
        predictions.append(task.decode(document, encoded, replace(merged, generated=written)))
    return predictions


@pytest.mark.parametrize("kind", ["encoder_decoder", "decoder"])
@pytest.mark.parametrize("reading", [Chunk(), Chunk(overlap_tokens=30)])
def test_a_perfect_translation_in_windows_scores_one(reading, kind, letters):
    task = Translation(decoding={"max_new_tokens": 400}).for_kind(kind)
    given = documents(task)
    predictions = perfect(task, reading, 560 if kind == "decoder" else 160, given, letters)
    assert all(len(prediction.answer.pieces) > 3 for prediction in predictions)
    scores = translations.score(given, predictions)
    assert scores.metrics == {"chrf": 1.0, "bleu": pytest.approx(1.0), "ter": 0.0, "length_ratio": 1.0}
    assert scores.coverage_labels == 1.0
    (found,) = [table for table in scores.tables if table.name == "by_evidence"]
    assert [row[2] for row in found.rows] == [1.0] * len(found.rows)


def test_under_truncation_the_unread_part_is_missing(letters):
    task = Translation().for_kind("encoder_decoder")
    given = documents(task, documents=1)
    (prediction,) = perfect(task, Truncate(), 160, given, letters)
    scores = translations.score(given, [prediction])
    sentences = [piece for piece, _ in task.anchors(given[0], prediction.answer.starts)]
    read = sum(prediction.seen)
    assert 0 < read < len(sentences)
    assert prediction.answer.text == " ".join(sentences[:read])
    assert scores.coverage_labels == read / len(sentences)
    share = len("".join(prediction.answer.text.split())) / len("".join(given[0].fields["target"].split()))
    assert scores.metrics["chrf"] == pytest.approx(5 * share / (4 + share), abs=0.01)  # all precise, so much recalled


def test_sentences_are_aligned_by_number_or_by_share(letters):
    task = Translation()
    equal = {"source": "One two. Three four five six seven.", "target": "Eins, zwei, vier und noch mehr. Drei."}
    other = {"source": "One. Two. Three four five six.", "target": 'Er sagte: "Ja!" Dann war es still.'}
    for record, pieces, places in (
        (equal, ["Eins, zwei, vier und noch mehr.", "Drei."], [4, 21]),
        (other, ['Er sagte: "Ja!"', "Dann war es still."], [7, 22]),
    ):
        document = task.parse(record, "here", gold=True)
        starts = np.arange(len(record["source"]))
        assert [piece for piece, _ in task.anchors(document, starts)] == pieces
        assert [at for _, at in task.anchors(document, starts)] == pytest.approx(places, abs=1)


@pytest.mark.parametrize(("num_words", "shown"), [(1, 1), (3, 1), (4, 2), (6, 2), (9, 3), (99, 3)])
def test_a_solved_example_shows_the_rendering_of_its_excerpt_alone(num_words, shown, letters):
    read, written = ["One two.", "Three four.", "Five six seven."], ["Un deux.", "Trois quatre.", "Cinq six sept."]
    task = Translation(shots=1, example_words=num_words).for_kind("decoder")
    records = [{"id": "a", "source": " ".join(read), "target": " ".join(written)}, {"source": "Ten.", "target": "Dix."}]
    solved, asked = (task.parse(record, "here", gold=True) for record in records)
    task.prepare(letters)
    task.take_examples([solved], seed=1)
    (encoded,) = task.encode([asked], letters)
    example = f"{' '.join(read[:shown])}\nTranslation: {' '.join(written[:shown])}\n\n"
    assert letters.decode(encoded.before, skip_special_tokens=True) == example


def test_a_perfect_summary_scores_one_in_windows_and_unread_ones_are_empty(letters):
    task = Summarization().for_kind("encoder_decoder")
    given = documents(task)
    scores = summaries.score(given, perfect(task, Chunk(), 300, given, letters))
    assert set(scores.metrics.values()) == {1.0}
    assert scores.coverage_labels == 1.0
    truncated = summaries.score(given, perfect(task, Truncate(), 160, given, letters))
    assert 0 < truncated.coverage_labels < 1


def test_sentences_are_ranked_by_the_query_and_the_kept_ones_are_the_summary(letters):
    task = Summarization(output="extract").for_kind("encoder")
    assert (task.runs_model, task.generates, task.head) == (False, False, "body")
    text = "Ada came. Bea said xyz.  Cid left at noon.\n\nDora knew xyz too. Eve did not."
    record = {"id": "a", "document": text, "query": "xyz", "summary": "Bea and Dora said xyz."}
    (document,) = task.expand(task.parse(record, "here", gold=True))
    (encoded,) = task.encode([document], letters)
    assert (encoded.before, encoded.after, encoded.room) == ((), (), 0)
    reading = Select(method="bm25")
    windows = reading.windows(encoded, 33)
    merged = reading.merge(windows, [np.zeros((len(w), 0), np.float32) for w in windows], len(encoded))
    prediction = task.decode(document, encoded, merged)
    assert prediction.answer.text == "Bea said xyz.\nDora knew xyz too."
    line = {"id": "a", "query": "xyz", "summary": prediction.answer.text}
    assert task.record(document, prediction) == {**line, "share_read": round(float(merged.seen.mean()), 4)}
    unread = replace(merged, seen=np.zeros_like(merged.seen))
    assert task.decode(document, encoded, unread).answer.text == ""
    some = replace(merged, seen=np.isin(np.arange(len(text)), [0, 1, 2, 10, 11, 12, 19, 20, 21]))
    assert task.decode(document, encoded, some).answer.text == "Ada\nBea xyz"


def test_written_and_extracted_documents_are_not_mixed_up_in_the_cache(letters, tmp_path):
    given = documents(Summarization(), documents=1)
    written, extracted = (
        encode_documents(Summarization(output=output).for_kind("decoder"), given, letters, tmp_path)
        for output in ("write", "extract")
    )
    assert len(written[0].target)
    assert not len(extracted[0].target)
    assert written[0].query == extracted[0].query
    assert written[0].room
    assert not extracted[0].room


def test_records_of_one_summary_or_many():
    task = Summarization()
    one = task.expand(task.parse({"id": 7, "document": "It rained.", "summary": "Rain."}, "here", gold=True))
    assert [(part.id, part.fields.get("query"), part.fields["summary"]) for part in one] == [("7", None, "Rain.")]
    rows = [{"query": "What?", "summary": "Rain."}, {"id": "all", "query": None, "summary": "Much."}]
    many = task.expand(task.parse({"id": "a", "document": "It rained.", "summaries": rows}, "here", gold=True))
    assert [(part.id, task.ask(part)) for part in many] == [("a#1", "What?"), ("a#all", "")]
    assert {part.fields["group"] for part in many} == {"a"}
    asked = {"id": "a", "document": "It rained.", "summaries": [{"query": "What?"}]}
    assert task.target(task.expand(task.parse(asked, "here", gold=False))[0]) is None


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"document": "It rained."}, "no field 'summaries' or 'summary'"),
        ({"document": "It rained.", "summary": " "}, "'summary' of f line 3 is an empty text"),
        ({"document": "It rained.", "summaries": "Rain."}, "'summaries' of f line 3 is of type str"),
        ({"document": "It rained.", "summaries": []}, "'summaries' of f line 3 is an empty list"),
        ({"document": "It rained.", "summaries": ["Rain."]}, r"'summaries\[0\]' of f line 3 is of type str"),
        (
            {"document": "It rained.", "summaries": [{"query": "What?"}]},
            r"f line 3 has no field 'summaries\[0\].summary'",
        ),
        ({"document": "a", "summaries": [{"query": 4, "summary": "b"}]}, r"'summaries\[0\].query' of f line 3"),
        ({"document": "a", "summaries": [{"summary": ""}]}, r"'summaries\[0\].summary' of f line 3 is an empty text"),
        ({"document": "a", "summaries": [{"id": 1, "summary": "b"}] * 2}, "already that of"),
        ({"query": "What?", "summary": "Rain."}, "f line 3 has a query but no field 'document'"),
        ({"document": " ", "summary": "Rain."}, "'document' of f line 3 is an empty text"),
        ({"source": "a", "target": "b"}, "task=translation"),
        ({"document": "a", "summary": "b", "probes": [{"start": 0}]}, r"'probes\[0\]' of f line 3"),
    ],
)
def test_bad_records_of_summaries(record, says):
    with pytest.raises(UserError, match=says):
        Summarization().parse(record, "f line 3", gold=True)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"source": "It rained.", "target": ""}, "'target' of f line 3 is an empty text"),
        ({"source": "It rained."}, "f line 3 has no field 'target'"),
        ({"source": 3, "target": "a"}, "'source' of f line 3 is of type int"),
        ({"document": "a", "summaries": []}, "task=summarization"),
        (
            {"source": "a", "target": "b", "probes": [{"start": 0, "end": 9, "distance": 1, "says": "b"}]},
            r"probes\[0\]",
        ),
    ],
)
def test_bad_records_of_translations(record, says):
    with pytest.raises(UserError, match=says):
        Translation().parse(record, "f line 3", gold=True)


def test_options_that_cannot_work():
    with pytest.raises(UserError, match=r"task\.output=cut is not one of write, extract"):
        Summarization(output="cut")
    with pytest.raises(UserError, match=r"task\.shots=2"):
        Summarization(output="extract", shots=2)
