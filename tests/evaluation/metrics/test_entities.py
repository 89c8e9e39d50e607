import cProfile
import json
import pstats
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.metrics import entities
from ctxlab.evaluation.metrics.entities import score
from ctxlab.tasks.records.bio import repair, spans


def gold(tags, probes=None, name="d"):
    fields = {"tokens": ["w"] * len(tags), "tags": tags} | ({} if probes is None else {"probes": probes})
    return Document(name, fields, f"{name} line 1")


def said(tags, seen=None):
    return Prediction("d", tags, [True] * len(tags) if seen is None else seen)


def table(scores, name):
    (found,) = [t for t in scores.tables if t.name == name]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_by_hand():
    # Right: X at 0–2. Wrong end: X at 3. Wrong type: Y at 6. Missed: Y at 8. Invented: X at 9.
    truth = ["B-X", "I-X", "O", "B-X", "I-X", "O", "B-Y", "O", "B-Y", "O"]
    guess = ["B-X", "I-X", "O", "B-X", "O", "O", "B-X", "O", "O", "B-X"]
    scores = score([gold(truth)], [said(guess)])
    assert scores.metrics == pytest.approx({"precision": 1 / 4, "recall": 1 / 4, "f1": 1 / 4})
    assert scores.coverage_labels == 1
    rows = {row["type"]: row for row in table(scores, "per_type")}
    assert list(rows) == ["X", "Y", "micro avg", "macro avg", "weighted avg"]
    assert rows["X"] == pytest.approx({"type": "X", "precision": 1 / 4, "recall": 1 / 2, "f1": 1 / 3, "support": 2})
    assert rows["Y"]["f1"] == 0
    assert rows["macro avg"]["f1"] == pytest.approx(1 / 6)
    assert rows["weighted avg"]["recall"] == pytest.approx(1 / 4)
    json.dumps([scores.metrics, [list(map(list, t.rows)) for t in scores.tables]])


tags = st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), min_size=1, max_size=15).map(lambda t: repair(t)[0])
pairs = st.lists(
    tags.flatmap(lambda t: st.tuples(st.just(t), st.permutations(t).map(lambda p: repair(p)[0]))), min_size=1
)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_against_seqeval_and_a_plain_count(documents):
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    scores = score([gold(t) for t, _ in documents], [said(p) for _, p in documents])
    correct = found = there = 0
    for truth, guess in documents:
        left, right = {(s.start, s.end, s.type) for s in spans(truth)}, {(s.start, s.end, s.type) for s in spans(guess)}
        correct, found, there = correct + len(left & right), found + len(right), there + len(left)
    if found or there:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            truths, guesses = zip(*documents, strict=True)
            oracle = classification_report(
                list(truths), list(guesses), mode="strict", scheme=IOB2, output_dict=True, zero_division=0
            )
        for row in table(scores, "per_type"):
            name = row.pop("type")
            row["f1-score"] = row.pop("f1")
            assert row == pytest.approx(oracle[name])
    assert scores.metrics["precision"] == pytest.approx(correct / found if found else 0)
    assert scores.metrics["recall"] == pytest.approx(correct / there if there else 0)
    # Every breakdown by position adds up to the whole.
    assert sum(row["entities"] for row in table(scores, "by_position")) == there
    assert sum(row["entities"] for row in table(scores, "by_length")) == there


def test_perfect_and_empty():
    truth = [["B-X", "I-X", "O", "B-Y"], ["O", "B-X"]]
    documents = [gold(t) for t in truth]
    perfect = score(documents, [said(t) for t in truth])
    assert perfect.metrics == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert {row["f1"] for row in table(perfect, "by_length")} == {1.0}
    assert {row["f1"] for row in table(perfect, "by_position") if row["entities"]} == {1.0}
    assert all(row["low"] < row["high"] == 1 for row in table(perfect, "by_length")), "two documents prove little"
    empty = score(documents, [said(["O"] * len(t)) for t in truth])
    assert empty.metrics == {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert empty.notes == []


def test_documents_without_entities():
    scores = score([gold(["O", "O"])], [said(["O", "O"])])
    assert scores.metrics == {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert scores.coverage_labels == 1
    assert "no gold entity" in scores.notes[0]
    invented = score([gold(["O", "O"])], [said(["O", "B-X"])])
    assert invented.metrics["precision"] == 0


@given(st.lists(st.tuples(tags, st.integers(0, 15)), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_a_perfect_model_that_sees_part_scores_its_coverage(documents):
    predictions = []
    for truth, limit in documents:
        seen = [index < limit for index in range(len(truth))]
        answer, _ = repair([tag if s else "O" for tag, s in zip(truth, seen, strict=True)])
        predictions.append(said(answer, seen))
    scores = score([gold(t) for t, _ in documents], predictions)
    if any(spans(t) for t, _ in documents):
        assert scores.metrics["recall"] == pytest.approx(scores.coverage_labels)


def test_a_missing_middle_counts_as_unseen_too():
    truth = ["B-X", "I-X", "I-X", "B-Y"]
    seen = [True, False, True, True]
    scores = score([gold(truth)], [said(["B-X", "O", "B-X", "B-Y"], seen)])
    assert scores.coverage_labels == scores.metrics["recall"] == 0.5


def test_length_bins():
    documents = [gold(["B-X"] + ["O"] * (n - 1)) for n in (512, 513, 1024, 20_000)]
    right = [said(d.fields["tags"]) for d in documents]
    right[1] = said(["O"] * 513)
    rows = table(score(documents, right), "by_length")
    assert [(r["words"], r["documents"], r["entities"]) for r in rows] == [
        ("1–512", 1, 1),
        ("513–1,024", 2, 2),
        ("over 16,384", 1, 1),
    ]
    assert [r["f1"] for r in rows] == pytest.approx([1, 2 / 3, 1])
    assert rows[1]["low"] == 0
    assert rows[1]["high"] == 1


def test_position_is_where_an_entity_starts():
    truth = ["O"] * 9 + ["B-X", "I-X"] + ["O"] * 88 + ["B-X"]
    rows = table(score([gold(truth)], [said(["O"] * 99 + ["B-X"])]), "by_position")
    assert [r["entities"] for r in rows] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert [r["f1"] for r in rows] == [0, *[None] * 8, 1]
    assert rows[0]["part of the document"] == "0–10 %"


def test_evidence_by_hand():
    truth = ["B-X", "O", "B-Y", "B-X", "I-X", "B-Y"]
    guess = ["B-X", "O", "B-X", "B-X", "O", "O"]
    probes = [{"start": 0, "distance": 16}, {"start": 2, "distance": 32}, {"start": 3, "distance": 33}]
    probes.append({"start": 5, "distance": 5000})
    scores = score([gold(truth, probes), gold(["O"], [])], [said(guess), said(["O"])])
    rows = table(scores, "by_evidence")
    # At 3 the first word has the right type, whatever the end.
    assert [(r["words to the evidence"], r["mentions"], r["accuracy"]) for r in rows] == [
        ("1–32", 2, 0.5),
        ("33–128", 1, 1.0),
        ("over 2,048", 1, 0.0),
    ]
    assert "chance 0.25" in next(t for t in scores.tables if t.name == "by_evidence").note
    names = [t.name for t in score([gold(truth)], [said(guess)]).tables]
    assert names == ["overall", "per_type", "by_length", "by_position", "per_tag"]


def test_overall_has_an_interval_over_documents():
    right, wrong = (gold(["B-X"]), said(["B-X"])), (gold(["B-X"]), said(["O"]))
    documents, predictions = zip(*[right, right, right, wrong] * 5, strict=True)
    (row,) = table(score(documents, predictions), "overall")
    assert (row["entities"], row["gold"], row["precision"], row["recall"]) == ("all", 20, 1.0, 0.75)
    assert row["f1"] == pytest.approx(2 * 0.75 / 1.75)
    assert 0.6 < row["low"] < row["f1"] < row["high"] < 1
    (alike,) = table(score(*zip(right, right, strict=True)), "overall")
    assert (alike["low"], alike["high"]) == pytest.approx((0.025**0.5, 1.0)), "of two documents, both right"


def test_an_answer_of_another_length_is_refused():
    with pytest.raises(ValueError, match="2 words and 1 predicted"):
        score([gold(["O", "O"])], [said(["O"])])


@pytest.mark.slow
def test_scores_leave_no_trace_and_no_warning(tmp_path):
    code = (
        "import sys, ctxlab.evaluation.metrics.entities as m\n"
        "assert 'evaluate' not in sys.modules and 'datasets' not in sys.modules\n"
        "from ctxlab.core.types import Document, Prediction\n"
        "m.score([Document('d', {'tags': ['B-X']}, 'o')], [Prediction('d', ['O'], [True])])\n"
    )
    environment = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    assert not list((tmp_path / "hf").rglob("*.arrow"))


def draw(count, seed):
    choices = ["O", "O", "O", "B-X", "I-X", "I-X", "B-Y", "I-Y"]
    return repair(np.random.default_rng(seed).choice(choices, count).tolist())[0]


@pytest.mark.parametrize("words_per_piece", [1, 2, 7, 1000])
def test_cutting_a_document_for_seqeval_changes_nothing(words_per_piece, monkeypatch):
    truth, guess = draw(500, 0), draw(500, 1)
    expected = score([gold(truth)], [said(guess)])
    monkeypatch.setattr(entities, "WORDS_PER_PIECE", words_per_piece)
    assert score([gold(truth)], [said(guess)]) == expected
    left, right = set(spans(truth)), set(spans(guess))
    assert expected.metrics["recall"] == pytest.approx(len(left & right) / len(left))


def test_work_grows_with_the_words_of_a_document():
    def calls(count):
        truth = draw(count, 0)
        profile = cProfile.Profile()
        profile.runcall(score, [gold(truth)], [said(truth)])
        return pstats.Stats(profile).total_calls

    assert calls(8000) < 5 * calls(2000)
