"""Class numbers become class names; the library's own features are the oracle."""

import datetime

from datasets import ClassLabel, Features, List, Value

from ctxlab.data.class_names import named

FEATURES = Features(
    {"label": ClassLabel(names=["no", "yes"]), "tags": List(ClassLabel(names=["O", "B-X"])), "n": Value("int64")}
)


def test_numbers_of_classes_become_names_at_any_depth():
    given = {"label": 1, "tags": [0, 1, 0], "n": 1, "text": "yes"}
    assert named(given, FEATURES) == {"label": "yes", "tags": ["O", "B-X", "O"], "n": 1, "text": "yes"}


def test_numbers_outside_the_classes_are_no_labels():
    for number in (-1, 2):
        assert named({"label": number}, FEATURES)["label"] is None
    assert named({"label": None}, FEATURES)["label"] is None
    assert named({"label": "yes"}, FEATURES)["label"] == "yes"


def test_dates_become_text_again():
    moments = {
        "a": datetime.datetime(2020, 1, 2),
        "b": datetime.datetime(2020, 1, 2, 3, 4),
        "c": datetime.date(2020, 1, 2),
    }
    assert named(moments, {}) == {"a": "2020-01-02", "b": "2020-01-02T03:04:00", "c": "2020-01-02"}
