"""Ids of documents."""

import pytest

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.identity import check_max_documents, identified


def records(*ids):
    return [Record({"text": "x"} | ({} if one is ... else {"id": one}), f"f:{i}") for i, one in enumerate(ids)]


def test_each_has_its_own_as_text_or_its_place():
    given = records(7, ..., "", None, "b")
    assert [one.fields["id"] for one in identified(given, "train")] == ["7", "train-1", "train-2", "train-3", "b"]
    assert "id" not in given[1].fields
    assert [one.origin for one in identified(given, "train")] == [one.origin for one in given]


@pytest.mark.parametrize("ids", [("a", "b", "a"), (1, "1"), ("train-1", ...)])
def test_two_of_one_id_are_refused_by_their_places(ids):
    with pytest.raises(UserError) as caught:
        identified(records(*ids), "train")
    assert "f:0" in str(caught.value)
    assert f"f:{len(ids) - 1}" in str(caught.value)


def test_a_limit_leaves_documents():
    check_max_documents(None)
    check_max_documents(1)
    with pytest.raises(UserError, match=r"data\.max_documents=0"):
        check_max_documents(0)
