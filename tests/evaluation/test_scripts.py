"""Scores of texts in other scripts, against sacrebleu, rouge's formula and counts by hand."""

import numpy as np
import pytest
from sacrebleu import BLEU, TER

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.evidence import says
from ctxlab.evaluation.metrics import answers, constraints, replies, summaries, translations
from ctxlab.evaluation.repetition import repeated
from ctxlab.evaluation.rouge import rouge
from ctxlab.evaluation.sentences import nearest_sentence, sentences
from ctxlab.tasks.generation import Constraints
from ctxlab.tasks.generative.base import GeneratedText
from ctxlab.tasks.records.questions import Answer
from ctxlab.text.units import words

GOLD = "鲸鱼住在大海里。渔夫每天出海。"
NEAR = "鲸鱼住在大海中，渔夫每天出海。"


def written(text):
    return Prediction("1", GeneratedText(text, (text,), (0.0,), 1.0, 1, np.ones(9, bool), np.arange(9), ()), [True])


def translated(text, target=GOLD, **fields):
    return translations.score([Document("1", {"source": "x", "target": target, **fields}, "o")], [written(text)])


def test_chinese_translations_are_scored_as_sacrebleu_scores_them():
    found = translated(NEAR).metrics
    bleu = BLEU(tokenize="zh").corpus_score([NEAR], [[GOLD]])
    assert found["bleu"] == pytest.approx(bleu.score / 100)
    ter = TER(asian_support=True, normalized=True).corpus_score([NEAR], [[GOLD]])
    assert found["ter"] == pytest.approx(ter.score / 100) == pytest.approx(2 / 15)
    assert translated(GOLD).metrics["bleu"] == pytest.approx(1)
    assert translated(GOLD[:8]).metrics["length_ratio"] == pytest.approx(8 / 15)


def test_thai_translations_count_characters():
    target = "แมวนอนอยู่บนเก้าอี้"
    assert translated(target, target).metrics["bleu"] == pytest.approx(1)
    assert 0 < translated(target[:-4], target).metrics["ter"] < 0.5
    signature = {row[0]: row[-1] for row in translated(target, target).tables[0].rows}
    assert "tok:char" in signature["bleu"]
    assert signature["ter"].endswith("|units:characters|parts:32")


def test_the_language_that_is_given_chooses_the_tokenizer():
    rows = {row[0]: row[-1] for row in translated("OK", "OK", language="zh").tables[0].rows}
    assert "tok:zh" in rows["bleu"]
    assert "target language: zh" in translated("OK", "OK", language="zh").tables[0].note


@pytest.mark.parametrize(
    ("summary", "gold", "expected"),
    [
        ("海里有鲸", "海里有鲸", 1),
        ("海里有鲸", "山上有鲸", 0.5),
        ("солнце и море", "солнце и горы", 2 / 3),
        ("हिंदी भाषा", "हिंदी पुस्तक", 0.5),
        ("Mädchen", "Madchen", 0),
        ("1999年", "1999年海啸", 2 * 2 / 6),
        ("running dogs", "run dog", 1),
    ],
)
def test_rouge_1_by_hand(summary, gold, expected):
    assert rouge(summary, gold)[0] == pytest.approx(expected)


def test_rouge_of_english_is_that_of_the_librarys_own_tokenizer():
    from rouge_score.rouge_scorer import RougeScorer

    summary, gold = (
        "The quick-brown foxes weren't jumping over 3.5 lazy_dogs!",
        "A quick fox jumped over the lazy dogs' backs.",
    )
    own = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True).score(gold, summary)
    assert rouge(summary, gold)[:3] == tuple(own[name].fmeasure for name in ("rouge1", "rouge2", "rougeL"))


def test_the_nearest_sentence_in_chinese_and_thai():
    text = "山上有很多树。青龙港在海边，有一座灯塔。冬天很冷。"
    assert nearest_sentence(text, "哪个港有灯塔？") == "青龙港在海边，有一座灯塔。"
    thai = "ฝนตกเมื่อเช้านี้ ท่าเรือมีประภาคารใหญ่ แมวนอนบนหลังคา"
    assert nearest_sentence(thai, "ประภาคารอยู่ที่ไหน") == "ท่าเรือมีประภาคารใหญ่"
    assert len(sentences(text)) == 3


def test_repetition_and_variety_count_characters():
    (found,) = (replies.score([Document("1", {"group": "g"}, "o")], [written("天黑了天黑了。")]).metrics,)
    assert (found["words"], found["distinct_1"], found["repetition"]) == (6, 4 / 6, 0)  # 了。 is another word than 了
    assert repeated([words("天黑了天黑了天黑了")], 3).tolist() == [[4, 7]]


def test_constraints_in_scripts_without_blanks():
    asked = Constraints(("灯塔",), None, (), 4, 6)
    assert [met for _, met in constraints.check(asked, "海边有灯塔。")] == [True, True]
    assert [met for _, met in constraints.check(asked, "海边有很高的灯塔。")] == [True, False]
    assert not says("दिल्ली", "दिल्ल")


def test_baselines_of_summaries_have_as_many_characters():
    document = Document("1", {"document": GOLD * 20}, "o")
    assert summaries.lead(document, 7) == "鲸鱼住在大海里。"
    assert sum(map(len, summaries.random(document, 7).split("\n"))) <= 9


def answered(text, gold, **fields):
    record = {"context": "北京在中国。", "question": "?", "group": "g", "answers": [{"text": gold}], **fields}
    given = Answer(text, None, None, None, 10, 0)
    return answers.score([Document("1", record, "o")], [Prediction("1", given, [True])])


def test_answers_follow_the_language_of_the_context_or_of_the_record():
    assert answered("北京。", "北京").metrics == {
        "exact_match": 1,
        "f1": 1,
    }
    assert answered("北京市", "北京").metrics["f1"] == pytest.approx(0.8)
    assert answered("der Rhein", "Rhein", language="de").metrics["exact_match"] == 1
    assert answered("der Rhein", "Rhein").metrics["exact_match"] == 0
    assert "language zh" in answered("北京", "北京").tables[0].note


def test_cmrc_counts_the_longest_run():
    assert answered("京北", "北京").metrics["f1"] == 1
    found = answered("京北", "北京", f1="run")
    assert found.metrics["f1"] == pytest.approx(0.5)
    assert "CMRC" in found.tables[0].note
