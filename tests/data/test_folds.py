import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlab.core.errors import UserError
from ctxlab.data.folds import folds, reported

IDS = [f"novel-{index}" for index in range(10)]


@settings(max_examples=30, deadline=None)
@given(st.sets(st.text(max_size=5), min_size=2, max_size=30), st.integers(0, 9), st.data())
def test_folds_divide_documents_evenly_whatever_their_order(names, seed, data):
    names = sorted(names)
    num_folds = data.draw(st.integers(2, len(names)))
    dealt = dict(zip(names, folds(names, num_folds, seed), strict=True))
    sizes = np.bincount(list(dealt.values()), minlength=num_folds)
    assert sizes.max() - sizes.min() <= 1
    turned = data.draw(st.permutations(names))
    assert folds(turned, num_folds, seed).tolist() == [dealt[name] for name in turned]


def test_the_same_on_every_machine():
    """Ten names in the order of sha256("0:novel-<i>"), computed with sha256sum, dealt to three folds."""
    expected = [0, 2, 1, 1, 0, 0, 2, 1, 2, 0]  # the order is 5, 2, 8, 4, 3, 1, 9, 7, 6, 0
    assert folds(IDS, 3).tolist() == expected
    assert folds(IDS, 3, seed=1).tolist() != expected


def test_every_document_validates_once_and_is_tested_otherwise():
    masks = np.stack([reported(IDS, num_folds=5, fold=fold) for fold in range(5)])
    assert (~masks).sum(axis=0).tolist() == [1] * 10
    assert masks.sum(axis=1).tolist() == [8] * 5


def test_records_are_not_split():
    groups = [name for name in IDS for _ in range(3)]
    mask = reported(groups, num_folds=2, fold=1).reshape(10, 3)
    assert (mask.all(axis=1) | ~mask.any(axis=1)).all()
    assert mask.all(axis=1).tolist() == reported(IDS, num_folds=2, fold=1).tolist()
    uneven = [name for index, name in enumerate(IDS) for _ in range(1 + index % 3)]
    assert dict(zip(uneven, folds(uneven, 3), strict=True)) == dict(zip(IDS, folds(IDS, 3), strict=True))
    with pytest.raises(UserError, match="folds=3 cannot divide 2 documents"):
        folds(["a", "a", "b", "b"], 3)


@pytest.mark.parametrize(
    ("num_folds", "fold", "message"),
    [
        (11, 0, "folds=11 cannot divide 10 documents; between 2 and 10 folds are possible"),
        (1, 0, "folds=1 cannot divide 10 documents"),
        (3, 3, "there is no fold 3 of folds=3; they count from 0 to 2"),
        (3, -1, "there is no fold -1"),
    ],
)
def test_what_cannot_be_divided_is_refused(num_folds, fold, message):
    with pytest.raises(UserError, match=message):
        reported(IDS, num_folds=num_folds, fold=fold)
