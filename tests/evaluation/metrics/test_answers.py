"""SQuAD's rules case by case, baselines, and breakdowns, by hand."""

import pytest

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation import sentences
from ctxlab.evaluation.metrics import answers
from ctxlab.tasks.records.questions import Answer
from ctxlab.text.answers import exact_match, f1, normalise

CONTEXT = "Rain fell. The captain sold rope. Nobody bought the anchor of the captain."


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("The Cat", "cat"),
        ("a cat and an owl", "cat and owl"),
        ("theory of another", "theory of another"),
        ("U.S.A.", "usa"),
        ("well-known", "wellknown"),
        ("the-cat", "thecat"),
        ("  two \t\n words ", "two words"),
        ("$5,000", "5000"),
        ("“quoted” – dash", "quoted dash"),
        ("The!", ""),
        ("", ""),
    ],
)
def test_normalisation(text, left):
    assert normalise(text) == left


@pytest.mark.parametrize(
    ("answer", "gold", "exact", "overlap"),
    [
        ("the Rope", ["rope."], 1, 1),
        ("old rope", ["rope"], 0, 2 / 3),
        ("rope rope", ["rope"], 0, 2 / 3),
        ("rope rope", ["rope rope"], 1, 1),
        ("of rope", ["wool", "of old rope"], 0, 4 / 5),
        ("wool", ["rope"], 0, 0),
        ("", ["rope"], 0, 0),
        ("rope", [], 0, 0),
        ("", [], 1, 1),
        ("the", [], 1, 1),
        ("the", ["an"], 1, 1),
        ("rope", ["the"], 0, 0),
    ],
)
def test_exact_match_and_f1(answer, gold, exact, overlap):
    assert exact_match(answer, gold) == exact
    assert f1(answer, gold) == pytest.approx(overlap)


def test_baselines():
    assert sentences.sentences(CONTEXT) == (
        "Rain fell.", "The captain sold rope.", "Nobody bought the anchor of the captain.",
    )  # fmt: skip
    assert sentences.first_sentence(CONTEXT) == "Rain fell."
    assert sentences.nearest_sentence(CONTEXT, "Who bought an anchor?") == "Nobody bought the anchor of the captain."
    assert sentences.nearest_sentence(CONTEXT, "Which captain?") == "The captain sold rope."  # the shorter of two
    assert sentences.nearest_sentence(CONTEXT, "Why?") == "Rain fell."
    assert sentences.nearest_sentence("...", "Why?") == "..."


def test_bm25_by_hand():
    """Two sentences of two and four words, of which only the first has the word: idf ln 2, length 2, mean length 3."""
    found, other = sentences._index("Sold rope. He wept for wool.", "en").scores("rope salt", 1.5)
    assert other == 0
    assert found == pytest.approx(0.6931472 * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 2 / 3)))


def case(gold, answer, *, group="r", seen=True, num_tokens=100, evidence=0):
    fields = {
        "context": CONTEXT,
        "question": "Who sold rope?",
        "group": group,
        "answers": [{"text": text} for text in gold],
    }
    found = Answer(answer, None, None, None, num_tokens, evidence if gold else None)
    return Document("d", fields, "o"), Prediction("d", found, [seen] * len(gold))


def score(*cases):
    return answers.score(*zip(*cases, strict=True))


def rows(scores, name):
    (found,) = [table for table in scores.tables if table.name == name]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_figures_by_hand():
    found = score(case(["rope"], "rope"), case(["rope"], "old rope"), case([], ""), case([], "rope"), case([], "wool"))
    assert found.metrics == pytest.approx(
        {
            "exact_match": 2 / 5,
            "f1": (1 + 2 / 3 + 1) / 5,
            "has_answer_exact_match": 1 / 2,
            "has_answer_f1": 5 / 6,
            "no_answer_accuracy": 1 / 3,
        }
    )
    assert [row["f1"] for row in rows(found, "by_kind")] == pytest.approx([5 / 6, 1 / 3])


def test_coverage_counts_questions_with_an_answer_of_which_one_was_seen():
    found = score(case(["rope"], ""), case(["rope"], "", seen=False), case([], "", seen=False))
    assert found.coverage_labels == 0.5
    assert score(case([], "x")).coverage_labels == 1
    document, prediction = case(["rope", "the rope"], "")
    assert score((document, Prediction("d", prediction.answer, [False, True]))).coverage_labels == 1


def test_baselines_stand_beside_the_model():
    found = rows(score(case(["The captain sold rope"], "rope"), case([], "rope")), "overall")
    assert [row["answer"] for row in found] == ["the model", "first sentence", "BM25 sentence", "always no answer"]
    assert [row["exact_match"] for row in found] == [0, 0, 0.5, 0.5]
    assert [row["f1"] for row in found] == pytest.approx([0.25, 0, 0.5, 0.5])


def test_breakdowns_have_their_cases():
    found = score(
        case(["rope"], "rope", num_tokens=512, evidence=0),
        case(["rope"], "", num_tokens=513, evidence=128),
        case(["rope"], "rope", num_tokens=10, evidence=9),
        case([], "", num_tokens=10),
    )
    assert [(row["tokens"], row["questions"], row["f1"]) for row in rows(found, "by_length")] == [
        ("1–512", 3, 1.0), ("513–1,024", 1, 0.0),
    ]  # fmt: skip
    assert [(row["part of the context"], row["f1"]) for row in rows(found, "by_position")] == [
        ("0–10 %", 1.0), ("20–30 %", 0.0), ("90–100 %", 1.0),
    ]  # fmt: skip
    assert [(row["tokens to the answer"], row["questions"], row["f1"]) for row in rows(found, "by_evidence")] == [
        ("1–128", 2, 1.0), ("129–512", 1, 0.0),
    ]  # fmt: skip


def test_intervals_draw_records_and_not_questions():
    """Ten questions about one record are one independent case, so there is no interval."""
    (row, *_) = rows(score(*[case(["rope"], "rope" if index % 2 else "") for index in range(10)]), "overall")
    assert (row["low"], row["f1"], row["high"]) == (None, 0.5, None)
    (row, *_) = rows(score(*[case(["rope"], "rope" if i % 2 else "", group=str(i)) for i in range(10)]), "overall")
    assert row["low"] < 0.3
    assert row["high"] > 0.7
