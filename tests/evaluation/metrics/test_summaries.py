"""Summary metrics against rouge-score itself and hand-worked cases."""

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.metrics.summaries import lead, random, score
from ctxlab.evaluation.rouge import TYPES
from ctxlab.tasks.generative.base import GeneratedText

SOURCE = " ".join(f"Sentence {n} tells of the lamp{n} and boat{n}." for n in range(50))
GOLD = "The lamp was sold. The boats sailed on Monday."
GIVEN = "On Monday the boat sails. The lamps were sold."


def document(index, gold=GOLD, group="a", source=SOURCE, **fields):
    return Document(f"{group}#{index}", {"document": source, "summary": gold, "group": group, **fields}, "here")


def prediction(index, text, seen=1.0, tokens=100, evidence=()):
    answer = GeneratedText(text, (), (), 0.0, 0, np.arange(tokens) < seen * tokens, np.arange(tokens), evidence)
    return Prediction(str(index), answer, [True])


def table(scores, name):
    (found,) = [one for one in scores.tables if one.name == name]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_figures_are_those_of_rouge_score():
    golds, texts = (GOLD, "A cat.", "Nothing."), (GIVEN, "The cats of Rome.", "")
    scores = score(
        [document(i, gold) for i, gold in enumerate(golds)], [prediction(i, text) for i, text in enumerate(texts)]
    )
    library = RougeScorer(TYPES, use_stemmer=True)
    split = [text.replace(". ", ".\n") for text in (*golds, *texts)]
    found = [library.score(gold, text) for gold, text in zip(split[:3], split[3:], strict=True)]
    for name in TYPES:
        assert scores.metrics[name] == pytest.approx(np.mean([one[name].fmeasure for one in found]))
    assert scores.metrics["rougeL"] < scores.metrics["rougeLsum"]


def test_perfect_is_one_and_empty_is_none():
    perfect = score([document(0)], [prediction(0, GOLD)]).metrics
    assert perfect == dict.fromkeys((*TYPES, "length_ratio"), 1.0)
    empty = score([document(0)], [prediction(0, "", seen=0.0)])
    assert empty.metrics == dict.fromkeys((*TYPES, "length_ratio"), 0.0)
    assert empty.coverage_labels == 0.0


def test_rouge_worked_by_hand():
    """Three of four words, one of three bigrams; the longest common subsequence has three words."""
    found = score([document(0, "red boats left home")], [prediction(0, "red boat went home")]).metrics
    assert (found["rouge1"], found["rouge2"], found["rougeL"]) == pytest.approx((3 / 4, 1 / 3, 3 / 4))


def test_baselines_have_as_many_words_as_the_model():
    one = document(0)
    assert lead(one, 4) == "Sentence 0 tells of"
    assert len(random(one, 20).split()) == 20
    assert random(one, 20) == random(one, 20) != random(document(1), 20)
    numbers = [int(line.split()[1]) for line in random(one, 35).splitlines()]
    assert numbers == sorted(numbers)
    rows = table(score([one], [prediction(0, "Sentence 0 tells of it")]), "overall")
    assert [row["summary"] for row in rows] == ["the model", "lead", "random"]
    assert len({row["length_ratio"] for row in rows}) == 1


def test_which_tenths_a_summary_covers():
    gold, given = "Sentence 7 tells of the lamp7 and boat7.", "Sentence 48 tells of the lamp48 and boat48."
    scores = score([document(0, gold)], [prediction(0, given)])
    rows = table(scores, "source_coverage")
    assert [row["share"] == 1 for row in rows] == [False] * 9 + [True]
    assert [row["gold"] == 1 for row in rows] == [part == 1 for part in range(10)]
    (row,) = table(scores, "by_position")
    assert (row["part"], row["rouge1"]) == ("10–20 %", scores.metrics["rouge1"])


def test_intervals_draw_whole_records():
    documents = [document(i, group=group) for group in "ab" for i in range(2)]
    given = [prediction(i, text) for i, text in enumerate((GOLD, GOLD, "", ""))]
    row = table(score(documents, given), "overall")[0]
    assert (row["cases"], row["rouge1"], row["low"], row["high"]) == (4, 0.5, 0.0, 1.0)


def test_words_that_rouge_cannot_count_are_noted():
    assert "no letter or digit" in score([document(0, "…!")], [prediction(0, "…")]).notes[0]
    assert score([document(0, "лампа")], [prediction(0, "лампа")]).metrics["rouge1"] == 1
    assert score([document(0)], [prediction(0, GOLD)]).notes == []


def test_coverage_is_that_of_the_evidence_where_it_is_known():
    probes = [
        {"start": 0, "end": 3, "distance": 16, "says": "lamp"},
        {"start": 5, "end": 9, "distance": 300, "says": "x"},
    ]
    given = prediction(0, "the lamp", seen=0.1, evidence=((0.0, True), (0.5, False)))
    scores = score([document(0, probes=probes)], [given])
    assert scores.coverage_labels == 0.5
    assert [(row["accuracy"], row["read"]) for row in table(scores, "by_evidence")] == [(1.0, 1.0), (0.0, 0.0)]
    assert score([document(0)], [prediction(0, "", seen=0.3)]).coverage_labels == pytest.approx(0.3)
