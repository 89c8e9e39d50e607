"""Pictures of a run."""

from ctxlab.core.types import Table
from ctxlab.reporting.plots import _bars, draw

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


def test_a_bar_without_an_interval_has_no_whisker():
    from matplotlib import pyplot

    rows = [("1–256", 1, 0.5, None, None), ("257–512", 9, 0.6, 0.4, 0.9)]
    figure, axes = pyplot.subplots()
    _bars(axes, Table("by_length", "By length", ("tokens", "documents", "f1", "low", "high"), rows))
    figure.canvas.draw()
    (whiskers,) = axes.collections
    drawn = [segment[:, 1].tolist() for segment in whiskers.get_segments() if segment.size]
    pyplot.close(figure)
    assert drawn == [[0.4, 0.9]]
