"""Fields of a file: the expected type is accepted, any other is refused with its place."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.fields import Fields

DATA = {"text": "a", "count": 3, "flag": False, "list": [1], "map": {"x": 1.5}, "null": None}


@pytest.fixture
def fields():
    return Fields(DATA, "here.json", "a result")


def test_each_type_is_taken_as_it_is(fields):
    assert (fields.text("text"), fields.integer("count"), fields.flag("flag")) == ("a", 3, False)
    assert (fields.sequence("list"), fields.mapping("map")) == ([1], {"x": 1.5})
    assert fields.part("map").numbers("x") == fields.part("map").numbers() == {"x": 1.5}
    assert "count" in fields
    assert list(fields) == list(DATA)


def test_null_and_missing_fields_give_the_default(fields):
    for name in ("null", "missing"):
        assert name not in fields
        assert fields.text(name, None) is None
        assert fields.integer(name, 7) == 7
        with pytest.raises(UserError, match=rf"here\.json .* a result: .*{name}"):
            fields.text(name)


@pytest.mark.parametrize(
    ("method", "name"),
    [("text", "count"), ("integer", "text"), ("integer", "flag"), ("flag", "count"), ("sequence", "text"),
     ("mapping", "list"), ("part", "text"), ("numbers", "flag")],
)  # fmt: skip
def test_another_type_is_refused_with_its_value(fields, method, name):
    with pytest.raises(UserError, match=rf"here\.json .*{name} is ") as caught:
        getattr(fields, method)(name)
    assert repr(DATA[name]) in str(caught.value)


@pytest.mark.parametrize("data", [[1], "text", None, 3])
def test_what_is_no_mapping_is_refused(data):
    with pytest.raises(UserError, match=r"^here\.json"):
        Fields(data, "here.json", "a result")


def test_a_part_says_where_it_lies(fields):
    with pytest.raises(UserError, match=r"here\.json \(map\)"):
        fields.part("map").text("x")
