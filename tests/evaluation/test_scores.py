"""Scores files: every statistic under weights, against libraries and against records repeated by weight."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from sklearn import metrics

from ctxlab.core.errors import UserError
from ctxlab.core.types import ScoredRecord
from ctxlab.evaluation import scores
from ctxlab.evaluation.rouge import TYPES, matches
from ctxlab.evaluation.sufficient import __file__ as package

NAMES = sorted(path.stem for path in Path(package).parent.glob("*.py") if path.stem != "__init__")
NUM = 12
WORDS = ("the", "lamp", "Boat", "sailed", "home", "a", "grey", "sky")


def text(random, most=12):
    return " ".join(random.choice(WORDS, random.integers(0, most)))


def counts(*names):
    """Whole numbers, each at most as large as the next ones."""
    return lambda random: dict(zip(names, np.sort(random.integers(0, 9, len(names))).tolist(), strict=True))


def labels(several):
    def draw(random):
        given = random.dirichlet(np.ones(3)).round(2)
        predicted = [name for name, share in zip("abc", given, strict=True) if share > 0.4]
        gold = [name for name in "abc" if random.random() < 0.4] if several else [str(random.choice(list("abc")))]
        chosen = predicted if several else ["abc"[int(given.argmax())]]
        read = bool(random.random() < 0.9)
        return {"gold": gold, "predicted": chosen if read else [], "read": read,
                "probabilities": dict(zip("abc", given.tolist(), strict=True))}  # fmt: skip

    return draw


def ranks(random):
    found = np.flatnonzero(random.random(9) < 0.3) + 1
    return {"ranks": found.tolist(), "candidates": 9, "auc": float(random.random())}


def tokens(random):
    num, seen = sorted(random.integers(1, 20, 2).tolist(), reverse=True)
    nll, nll_seen = sorted(random.random(2).tolist(), reverse=True)
    return {"nll": num * nll, "tokens": num, "correct": seen // 2, "seen": seen, "characters": 4 * num,
            "nll_seen": nll_seen}  # fmt: skip


def answer(random):
    exact = int(random.random() < 0.3)
    return {"exact_match": exact, "f1": max(exact, float(random.random())), "has_answer": bool(random.random() < 0.7)}


def embeddings(random):
    return {"loss": float(random.random()), "picked": int(random.random() < 0.5), "apart": float(random.random()),
            "near": float(random.random()), "documents": 1}  # fmt: skip


def ngrams(random):
    every = np.sort(random.integers(4, 30, 4))[::-1]
    return {"written": int(every[0]), "gold": int(random.integers(4, 40)), "correct": (every // 2).tolist(),
            "all": every.tolist()}  # fmt: skip


def numbers(random):
    gold = float(random.integers(1, 7))
    return {"gold": gold, "predicted": gold + round(float(random.normal()), 1)}


def of_members(random):
    """Answers of two members, one of which has an error that is better when lower."""
    name = ("graded", "tagged")[int(random.integers(0, 2))]
    own = {"graded": {"regression": numbers(random)}, "tagged": {"entities": counts(*FOUND)(random)}}[name]
    lower = name == "graded"
    return {"member": name, "primary": "mse" if lower else "f1", "lower": lower, "of": own}


def expressions(random):
    right = int(random.random() < 0.5)
    return {"accuracy": right, "exact_match": right * int(random.random() < 0.5), "parses": 1}


FOUND = ("correct", "predicted", "gold")

DRAWS = {
    "answers": answer,
    "bleu": ngrams,
    "chrf": lambda random: {"ngrams": random.integers(1, 9, 18).tolist()},
    "constraints": lambda random: {"met": int(random.integers(0, 4)), "asked": 3},
    "embeddings": embeddings,
    "expressions": expressions,
    "multi": of_members,
    "end_to_end": counts("correct", "predicted", "gold"),
    "featured_ranks": ranks,
    "entities": counts("correct", "predicted", "gold"),
    "lengths": counts("written", "gold"),
    "masked_tokens": tokens,
    "multi_label": labels(several=True),
    "next_tokens": tokens,
    "recall_by_length": lambda random: {
        "recall": float(random.random() < 0.9),
        "length": int(random.choice([64, 256])),
    },
    "blend_ranks": ranks,
    "bm25_ranks": ranks,
    "retrieved_ranks": ranks,
    "recommended_ranks": ranks,
    "regression": numbers,
    "relations": counts("correct_stated", "gold_stated", "correct", "predicted", "gold"),
    "response_ranks": ranks,
    "rouge": lambda random: dict(zip(TYPES, map(list, matches(text(random), text(random) + " lamp")), strict=True)),
    "single_label": labels(several=False),
    "target_tokens": lambda random: {"nll": float(9 * random.random()), "tokens": int(random.integers(0, 9))},
    "ter": counts("edits", "gold"),
    "text_variety": lambda random: {"words": text(random).lower().split()},
}


def drawn(name, seed=0):
    """Units of which some belong to the same record."""
    random = np.random.default_rng(seed)
    return [ScoredRecord(f"{i}", f"record {i // 2}", {name: DRAWS[name](random)}) for i in range(NUM)]


def test_every_statistic_is_tested():
    assert sorted(DRAWS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_weights_count_like_repeated_records(name):
    units = drawn(name)
    times = np.random.default_rng(1).multinomial(NUM, np.full(NUM, 1 / NUM), size=20)
    found = scores.figures(units, times.astype(np.float64))
    assert scores.metrics(units).keys() <= found.keys()
    for row, often in enumerate(times):
        written_out = scores.metrics([unit for unit, count in zip(units, often, strict=True) for _ in range(count)])
        told = {figure: float(values[row]) for figure, values in found.items() if not np.isnan(values[row])}
        assert told == pytest.approx(written_out, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_follows_from_a_file(name, tmp_path):
    units = drawn(name, seed=2)
    scores.write(tmp_path / "scores" / "test.jsonl", units)
    assert scores.metrics(scores.read(tmp_path / "scores" / "test.jsonl")) == scores.metrics(units)


@pytest.mark.parametrize("name", NAMES)
def test_every_record_matters(name):
    """Leaving out any record that scores differently from the rest changes the figures."""
    units = drawn(name)
    whole = scores.metrics(units)
    differs = [scores.metrics(units[:i] + units[i + 1 :]) != whole for i in range(NUM)]
    assert sum(differs) >= NUM - 2


@pytest.mark.parametrize("name", NAMES)
def test_zero_weights_are_no_error(name):
    found = scores.figures(drawn(name), np.zeros((2, NUM)))
    assert all(len(values) == 2 for values in found.values())


def test_weights_of_records_become_those_of_units():
    assert scores.groups(drawn("ter")).tolist() == [i // 2 for i in range(NUM)]
    weights = np.asarray([[2.0, 0.0, 0.0, 0.0, 0.0, 1.0]])[:, scores.groups(drawn("ter"))]
    assert weights.tolist() == [[2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]]


WEIGHTS = np.random.default_rng(3).integers(0, 4, (5, NUM)).astype(np.float64)


@pytest.mark.parametrize("several", [False, True])
def test_labels_are_those_of_scikit_learn_with_weights(several):
    name = "multi_label" if several else "single_label"
    units = [unit for unit in drawn(name) if unit.statistics[name]["read"]]
    values = [unit.statistics[name] for unit in units]
    gold, predicted = (
        np.asarray([[c in one[what] for c in "abc"] for one in values]) for what in ("gold", "predicted")
    )
    given = np.asarray([[one["probabilities"][c] for c in "abc"] for one in values])
    found = scores.figures(units, WEIGHTS[:, : len(units)])
    for row, weight in enumerate(WEIGHTS[:, : len(units)]):
        told = {figure: value[row] for figure, value in found.items()}
        areas = [metrics.roc_auc_score(gold[:, i], given[:, i], sample_weight=weight) for i in range(3)]
        assert told["auroc"] == pytest.approx(np.mean(areas))
        assert told["micro_f1"] == pytest.approx(
            metrics.f1_score(gold, predicted, average="micro", sample_weight=weight)
        )
        assert told["macro_f1"] == pytest.approx(
            metrics.f1_score(gold, predicted, average="macro", sample_weight=weight)
        )
        right = told["exact_match" if several else "accuracy"]
        assert right == pytest.approx(metrics.accuracy_score(gold, predicted, sample_weight=weight))


def test_bleu_of_any_choice_of_texts_is_that_of_sacrebleu():
    """Longer and shorter than the references (brevity penalty), and orders without a correct n-gram (smoothing)."""
    golds = ["the lamp was sold on a grey morning in the harbour", "nobody came to the grey harbour on the next day",
             "she sold the lamp on a grey day and sailed home", "she sold the lamp"]  # fmt: skip
    texts = ["the lamp was sold on a grey day", "to the grey harbour nobody came on the next day at all, they say so",
             "she sold the lamp on a grey day", "she bought the other lamp"]  # fmt: skip
    library = sacrebleu.BLEU()
    units = []
    for i, pair in enumerate(zip(texts, golds, strict=True)):
        one = library.corpus_score([pair[0]], [[pair[1]]])
        values = {"written": one.sys_len, "gold": one.ref_len, "correct": one.counts, "all": one.totals}
        units.append(ScoredRecord(str(i), str(i), {"bleu": values}))
    for chosen in ([0], [1], [2], [3], [0, 0, 1], [0, 1, 2, 3], [3, 3]):
        weights = np.bincount(chosen, minlength=4)[None].astype(np.float64)
        expected = library.corpus_score([texts[i] for i in chosen], [[golds[i] for i in chosen]]).score / 100
        assert scores.figures(units, weights)["bleu"][0] == pytest.approx(expected, rel=1e-12)
    assert len({len(text.split()) > len(gold.split()) for text, gold in zip(texts, golds, strict=True)}) == 2


@pytest.mark.parametrize("seed", range(20))
def test_matches_of_rouge_give_the_library_s_own_f_measures(seed):
    random = np.random.default_rng(seed)
    given, wanted = (". ".join(text(random).capitalize() for _ in range(3)) for _ in range(2))
    library = RougeScorer(TYPES, use_stemmer=True).score(wanted.replace(". ", ".\n"), given.replace(". ", ".\n"))
    for name, (matched, ours, theirs) in zip(TYPES, matches(given, wanted), strict=True):
        assert matched / max(ours, 1) == pytest.approx(library[name].precision)
        assert matched / max(theirs, 1) == pytest.approx(library[name].recall)


def test_likelihoods_worked_by_hand():
    values = {"nll": 6.0, "tokens": 3, "correct": 2, "seen": 1, "characters": 12, "nll_seen": 1.0}
    found = scores.metrics([ScoredRecord("a", "a", {"next_tokens": values})])
    assert found == pytest.approx({"loss": 2, "perplexity": np.e**2, "accuracy": 2 / 3, "perplexity_seen": np.e,
                                   "bits_per_character": 0.5 / np.log(2)})  # fmt: skip
    unread = scores.metrics([ScoredRecord("a", "a", {"masked_tokens": values | {"seen": 0, "nll_seen": 0.0}})])
    assert list(unread) == ["loss", "pseudo_perplexity", "accuracy"]


def line(**changes):
    return json.dumps({"id": "a", "group": "a", "statistics": {"ter": {"edits": 1, "gold": 2}}} | changes) + "\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "has no records"),
        ('{"torn', "cannot be read as scores"),
        (line() + "[]\n", "line 2 is not a line of scores"),
        (line(id=3), "line 1 is not a line of scores"),
        (line(statistics={"ter": [1, 2]}), "line 1 is not a line of scores"),
        (line() + line(statistics={}), "line 2 has other statistics than line 1"),
        (line(statistics={"nonsense": {}}), "no statistic called 'nonsense'"),
        (line(statistics={"ter": {"edits": 1}}), "no figure can be computed .KeyError: 'gold'"),
        (line(statistics={"ter": {"edits": 1, "gold": "many"}}), "no figure can be computed"),
        (
            line(statistics={"single_label": {"gold": [], "predicted": [], "probabilities": 1, "read": True}}),
            "no figure",
        ),
    ],
)
def test_a_damaged_file_is_named(tmp_path, content, why):
    path = tmp_path / "test.jsonl"
    path.write_text(content)
    with pytest.raises(UserError, match=why) as refusal:
        scores.read(path)
    assert str(path) in str(refusal.value)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read as scores"):
        scores.read(tmp_path / "test.jsonl")
    for name in ("../secrets", "nonsense"):
        with pytest.raises(UserError, match="no statistic called"):
            scores.statistic(name)


def test_figures_need_no_torch():
    code = (
        "import pkgutil, sys, ctxlab.evaluation.scores as s, ctxlab.evaluation.sufficient as p\n"
        "names = [s.statistic(m.name) for m in pkgutil.iter_modules(p.__path__)]\n"
        "assert len(names) > 9 and not {'torch', 'transformers', 'evaluate', 'datasets'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
