"""Pictures of a run."""

from ctxlab.core.types import Table
from ctxlab.reporting.plots import draw

SPANS = Table("spans", "Learned spans", ("layer", "head", "span"), [(0, 0, 12.5), (0, 1, 0.0), (1, 0, 200.0)])


def test_learned_spans_are_drawn_and_other_tables_are_not(tmp_path):
    other = Table("something", "Else", ("a",), [(1,)])
    assert draw(tmp_path, {}, [other]) == []
    (picture,) = draw(tmp_path, {}, [SPANS, other])
    assert picture.name == "spans.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_spans_of_nothing_are_drawn_too(tmp_path):
    assert draw(tmp_path, {}, [Table("spans", "Learned spans", ("layer", "head", "span"), [(0, 0, 0.0)])])


def test_length_and_depth_are_drawn_as_a_heat_map(tmp_path):
    rows = [(64, 0.0, 5, 1.0), (64, 1.0, 5, 0.5), (128, 0.0, 5, 0.0)]  # one cell is empty
    table = Table("by_length_and_depth", "By length and depth", ("length", "depth", "documents", "recall"), rows)
    assert [picture.name for picture in draw(tmp_path, {"test": [table]})] == ["test-depth.png"]
    assert (tmp_path / "test-depth.png").read_bytes().startswith(b"\x89PNG")
