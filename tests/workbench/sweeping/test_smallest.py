"""The smallest value that is enough, from score files written by hand; the interval of one seed is scipy's."""

import json
from types import SimpleNamespace

import pytest
from scipy import stats

from ctxlab.workbench.sweeping.smallest import Finished, smallest

NUM = 12
"""Documents, of ten entities each."""


def trial(folder, length, correct, *, seed=1, validation=None, lower=False, split="test") -> Finished:
    """A finished trial whose documents have so many correct entities each; all predict as many as there are."""
    path = folder / f"{length}-{seed}-{validation}"
    (path / "scores").mkdir(parents=True)
    lines = [
        {"id": f"d{i}", "group": f"d{i}", "statistics": {"entities": {"correct": n, "predicted": 10, "gold": 10}}}
        for i, n in enumerate(correct)
    ]
    (path / "scores" / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    chosen = validation if validation is not None else sum(correct) / 10 / NUM
    result = SimpleNamespace(
        lower_is_better=lower, primary_metric="f1", metrics={split: {}}, primary=lambda name: chosen
    )
    return Finished({"context.length": length, "seed": seed}, result, path)


GOOD = [9, 8, 9, 9, 8, 9, 9, 8, 9, 9, 8, 9]


def worse(by):
    return [n - (by if i % 2 else 0) for i, n in enumerate(GOOD)]


def test_the_shortest_whose_interval_lies_above_minus_the_margin_is_enough(tmp_path):
    """One seed and equal gold: the difference of F1 is the mean of paired differences, its interval Student's."""
    trials = [trial(tmp_path, 512, worse(3)), trial(tmp_path, 1024, worse(1)), trial(tmp_path, 4096, GOOD)]
    found = smallest("context.length", trials, margin=0.1)
    assert (found.best, found.smallest) == (4096, 1024)
    assert [row["enough"] for row in found.rows] == [False, True, True]
    for row, correct in zip(found.rows, (worse(3), worse(1)), strict=False):
        differences = [(one - best) / 10 for one, best in zip(correct, GOOD, strict=True)]
        expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert row["difference"] == pytest.approx(sum(differences) / NUM)
        assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert found.sentence.startswith("context.length=1024 is enough: against 4096, the best, it changes f1 by −0.050 [")
    assert "With one seed this is about trained models" in found.sentence


def test_where_no_shorter_one_is_ruled_in_the_sentence_says_so(tmp_path):
    found = smallest("context.length", [trial(tmp_path, 512, worse(3)), trial(tmp_path, 4096, GOOD)], margin=0.01)
    assert found.smallest == 4096
    assert found.sentence.startswith(
        "No context.length below 4096, the best, is shown to be enough: 512 changes f1 by −0.150"
    )


def test_the_best_is_what_chose_best_not_what_is_reported_best(tmp_path):
    trials = [trial(tmp_path, 512, GOOD, validation=0.9), trial(tmp_path, 4096, worse(1), validation=0.95)]
    found = smallest("context.length", trials, margin=0.01)
    assert (found.best, found.smallest) == (4096, 512)  # 512 is better, so that nothing worse is left open


def test_where_nothing_differs_nothing_is_said_to_be_enough(tmp_path):
    """A few steps in which no model learned anything would make the shortest context the best."""
    found = smallest("context.length", [trial(tmp_path, 512, GOOD), trial(tmp_path, 4096, GOOD)], margin=0.01)
    assert found.sentence.startswith("Every context.length has the same f1 on all documents")


def test_the_shortest_is_named_where_it_is_the_best(tmp_path):
    found = smallest("context.length", [trial(tmp_path, 512, GOOD), trial(tmp_path, 4096, worse(1))], margin=0.01)
    assert found.sentence.startswith("context.length=512, the smallest, is also the best.")


def test_with_another_key_searched_the_best_trial_of_each_value_and_seed_counts(tmp_path):
    trials = [
        trial(tmp_path, 512, worse(5), validation=0.2),
        trial(tmp_path, 512, GOOD, validation=0.8),
        trial(tmp_path, 512, GOOD, seed=2),
        trial(tmp_path, 4096, GOOD, validation=0.85),
        trial(tmp_path, 4096, GOOD, seed=2),
        trial(tmp_path, 4096, worse(9), seed=3),
    ]
    found = smallest("context.length", trials, margin=0.01)
    assert found.smallest == 512
    assert {row["num_seeds"] for row in found.rows} == {2}
    assert "one seed" not in found.sentence


def test_nothing_is_known_from_one_value_or_one_document(tmp_path):
    alone = smallest("context.length", [trial(tmp_path / "a", 512, GOOD)], margin=0.01)
    assert alone.startswith("Which context.length is enough is not known")
    single = [trial(tmp_path / "b", 512, [8]), trial(tmp_path / "b", 4096, [9])]
    assert "one document gives no interval" in smallest("context.length", single, margin=0.5).sentence
