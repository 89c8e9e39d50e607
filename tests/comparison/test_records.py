"""Candidates out of files of scores: figures of sums against plain counts; AUROC, which is none, against libraries."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from ctxlab.comparison.compare import Rules, compare
from ctxlab.comparison.difference import difference
from ctxlab.comparison.permutation import permutation
from ctxlab.comparison.records import contenders
from ctxlab.comparison.scored import CountScores
from ctxlab.core.errors import UserError
from ctxlab.core.types import ScoredRecord
from ctxlab.evaluation import scores
from ctxlab.evaluation.statistics import f1
from tests.comparison.simulated import entities

COUNTS = entities(np.random.default_rng(0), (2, 3, 9), between_seeds=0.02, between_documents=0.1, rest=0.1)


def counted(table, groups=None):
    """Units of one run, of (N, 3) counts."""
    names = [f"novel-{index}" for index in range(len(table))]
    return [
        ScoredRecord(name, group, {"entities": dict(zip(("correct", "predicted", "gold"), row.tolist(), strict=True))})
        for name, group, row in zip(names, groups or names, table, strict=True)
    ]


def test_figures_of_sums_are_those_of_their_counts():
    ours, theirs = contenders(
        {name: [counted(run) for run in one] for name, one in zip("ab", COUNTS, strict=True)}, "f1"
    )
    plain = [CountScores(one, f1) for one in COUNTS]
    weights = np.random.default_rng(1).integers(0, 3, (20, 9)).astype(float)
    assert ours.scored.figures(weights) == pytest.approx(plain[0].figures(weights))
    assert ours.scored.mixed(theirs.scored, weights > 1) == pytest.approx(plain[0].mixed(plain[1], weights > 1))
    found, expected = compare(ours, [theirs], Rules()).rows[0], difference(plain[1], plain[0])
    assert found.difference.interval.low == pytest.approx(expected.interval.low)
    assert found.permutation.p_value == permutation(plain[1], plain[0]).p_value


def test_the_order_of_lines_does_not_matter():
    runs = {name: [counted(run) for run in one] for name, one in zip("ab", COUNTS, strict=True)}
    turned = {"a": runs["a"], "b": [run[::-1] for run in runs["b"]]}
    found, same = (compare(*_split(contenders(one, "f1")), Rules()).rows[0] for one in (runs, turned))
    assert found.permutation == same.permutation
    assert found.difference.interval.low == pytest.approx(same.difference.interval.low)


def _split(everyone):
    return everyone[0], everyone[1:]


def test_records_are_the_documents():
    groups = ["x", "y", "z"] * 3
    ours, theirs = contenders({name: [counted(one[0], groups)] for name, one in zip("ab", COUNTS, strict=True)}, "f1")
    summed = [CountScores(one[:1].reshape(1, 3, 3, 3).sum(axis=1), f1) for one in COUNTS]
    assert ours.scored.num_documents == 3
    assert permutation(ours.scored, theirs.scored) == permutation(*summed)
    assert difference(ours.scored, theirs.scored).p_value == pytest.approx(difference(*summed).p_value)


def test_seeds_that_lack_what_they_do_not_report():
    reported = ~np.eye(3, 9, dtype=bool)
    runs = {
        name: [
            [unit for unit, shown in zip(counted(run), mask, strict=True) if shown]
            for run, mask in zip(one, reported, strict=True)
        ]
        for name, one in zip("ab", COUNTS, strict=True)
    }
    ours, theirs = contenders(runs, "f1")
    assert ours.scored.reported.tolist() == reported.tolist()
    plain = [CountScores(one, f1, reported) for one in COUNTS]
    assert difference(ours.scored, theirs.scored).p_value == pytest.approx(difference(*plain).p_value)


def labelled(gold, chances):
    return [
        ScoredRecord(f"mail-{index}", f"mail-{index}", {"single_label": {
            "gold": [label], "predicted": ["spam" if chance > 0.5 else "ham"], "read": True,
            "probabilities": {"spam": chance, "ham": 1 - chance},
        }})
        for index, (label, chance) in enumerate(zip(gold, chances.tolist(), strict=True))
    ]  # fmt: skip


def test_auroc_is_no_function_of_sums_and_compared_all_the_same():
    generator = np.random.default_rng(3)
    gold = np.array(["spam", "ham"] * 4)
    ours, theirs = (
        np.clip(0.5 + (gold == "spam") * lift + 0.3 * generator.normal(size=8), 0, 1) for lift in (0.3, 0.1)
    )
    a, b = contenders({"a": [labelled(gold, ours)], "b": [labelled(gold, theirs)]}, "auroc")

    def statistic(x, y):
        return roc_auc_score(gold == "spam", x) - roc_auc_score(gold == "spam", y)

    expected = stats.permutation_test(
        (ours, theirs), statistic, permutation_type="samples", vectorized=False, n_resamples=np.inf
    )
    assert a.scored.estimate() == pytest.approx(roc_auc_score(gold == "spam", ours))
    found = permutation(a.scored, b.scored)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.num_swaps == 2**8


def test_from_files(tmp_path):
    paths = {name: [tmp_path / f"{name}-{seed}" / "validation.jsonl" for seed in range(3)] for name in "ab"}
    for name, one in zip("ab", COUNTS, strict=True):
        for path, run in zip(paths[name], one, strict=True):
            path.parent.mkdir()
            scores.write(path, counted(run))
    everyone = contenders({name: [scores.read(path) for path in found] for name, found in paths.items()}, "recall")
    assert [one.name for one in everyone] == ["a", "b"]
    assert everyone[0].scored.estimate() == pytest.approx(
        np.mean(COUNTS[0, ..., 0].sum(-1) / COUNTS[0, ..., 2].sum(-1))
    )


@pytest.mark.parametrize(
    ("runs", "figure", "message"),
    [
        ({"a": [COUNTS[0, 0]] * 2, "b": [COUNTS[1, 0]]}, "f1", "'b' has 1 seeds and 'a' 2"),
        ({"a": [COUNTS[0, 0]], "b": [COUNTS[1, 0, :8]]}, "f1", "'novel-8' was scored by 'a' but not by 'b'"),
        ({"a": [COUNTS[0, 0, :8]], "b": [COUNTS[1, 0]]}, "f1", "'novel-8' was scored by 'b' but not by 'a'"),
        ({"a": [COUNTS[0, 0]]}, "f2", "no figure 'f2' in these scores; they have f1, precision, recall"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(runs, figure, message):
    with pytest.raises(UserError, match=message):
        contenders({name: [counted(run) for run in one] for name, one in runs.items()}, figure)
