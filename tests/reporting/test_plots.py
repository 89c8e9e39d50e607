"""Pictures of a run."""

import pytest

from ctxlab.core.types import BARS, CONFUSION, DEPTHS, HEADS, Table
from ctxlab.reporting.charts.series import Reference
from ctxlab.reporting.plots import _bars, _panels, draw

SPANS = Table(
    "spans", "Learned spans", ("layer", "head", "span"), [(0, 0, 12.5), (0, 1, 0.0), (1, 0, 200.0)], drawn=HEADS
)


def test_learned_spans_are_drawn_and_other_tables_are_not(tmp_path):
    other = Table("something", "Else", ("a",), [(1,)])
    assert draw(tmp_path, {}, [other]) == []
    (picture,) = draw(tmp_path, {}, [SPANS, other])
    assert picture.name == "spans.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_spans_of_nothing_are_drawn_too(tmp_path):
    assert draw(tmp_path, {}, [Table("spans", "Learned spans", ("layer", "head", "span"), [(0, 0, 0.0)], drawn=HEADS)])


def test_length_and_depth_are_drawn_as_a_heat_map(tmp_path):
    rows = [(64, 0.0, 5, 1.0), (64, 1.0, 5, 0.5), (128, 0.0, 5, 0.0)]  # one cell is empty
    table = Table(
        "by_length_and_depth", "By length and depth", ("length", "depth", "documents", "recall"), rows, drawn=DEPTHS
    )
    assert [picture.name for picture in draw(tmp_path, {"test": [table]})] == ["test-depth.png"]
    assert (tmp_path / "test-depth.png").read_bytes().startswith(b"\x89PNG")


def test_a_confusion_matrix_is_drawn_where_a_class_never_occurs_too(tmp_path):
    rows = [("ham", "ham", 9), ("ham", "spam", 1), ("spam", "ham", 0), ("spam", "spam", 0)]
    table = Table("confusion", "Confusion matrix", ("class", "given as", "documents"), rows, drawn=CONFUSION)
    (picture,) = draw(tmp_path, {"test": [table]})
    assert picture.name == "test-confusion.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


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


def test_tables_say_themselves_how_they_are_drawn_and_by_which_figure(tmp_path):
    """A metric of another distribution has other names: neither those of tables nor of columns are known here."""
    rows = [("short", 3, 0.25, 0.1, 0.5, 7.0), ("long", 2, None, None, None, None)]
    mine = Table("mine", "Mine", ("size", "cases", "ndcg", "low", "high", "other"), rows, drawn=BARS)
    assert mine.figure == "ndcg"
    assert [picture.name for picture in draw(tmp_path, {"test": [mine]})] == ["test.png"]
    assert draw(tmp_path, {"test": [Table("by_length", "Not drawn", ("tokens", "words"), [("1", "a")])]}) == []
    assert Table("plain", "No interval", ("tokens", "score"), []).figure == "score"


def test_no_tables_no_pictures(tmp_path):
    assert draw(tmp_path, {"validation": [], "test": ()}) == []


@pytest.mark.parametrize(("value", "high", "top"), [(0.5, 0.9, 1), (26.1, 30.0, None), (0.9, 1.4, None)])
def test_shares_are_drawn_from_0_to_1_and_others_as_far_as_they_reach(value, high, top):
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    _bars(axes, Table("t", "T", ("bin", "figure", "low", "high"), [("a", value, 0.1, high)], drawn=BARS))
    reached = axes.get_ylim()[1]
    pyplot.close(figure)
    assert reached == 1 if top else reached >= high


def texts(axes):
    return [one.get_text() for one in axes.texts]


def test_values_stand_above_the_bars_and_lines_have_names():
    from matplotlib import pyplot

    rows = [("1–256", 1, 0.5, None, None), ("257–512", 9, 0.64, 0.4, 0.9)]
    table = Table("by_length", "By length", ("tokens", "documents", "f1", "low", "high"), rows, chance=0.25)
    figure, axes = pyplot.subplots()
    _bars(axes, table, [Reference("first sentence", 0.09)])
    levels = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    written = texts(axes)
    places = [text.xy for text in axes.texts[:2]]
    pyplot.close(figure)
    assert written == ["0.50", "0.64", "chance\n0.25", "first sentence\n0.09"]
    assert levels == [0.25, 0.09]
    assert places == [(0, 0.5), (1, 0.9)]  # above the whisker


def test_baselines_are_drawn_where_the_figure_is_theirs():
    from matplotlib import pyplot

    overall = Table("overall", "All", ("answer", "f1", "low", "high"),
                    [("the model", 0.5, None, None), ("first sentence", 0.09, None, None)])  # fmt: skip
    mine = Table("by_length", "F1", ("tokens", "f1", "low", "high"), [("1", 0.5, 0.4, 0.6)], drawn=BARS)
    other = Table("by_evidence", "Accuracy", ("words", "accuracy", "low", "high"), [("1", 0.5, 0.4, 0.6)], drawn=BARS)
    figure = _panels([mine, other], [overall, mine, other])
    written = [texts(axes) for axes in figure.axes]
    pyplot.close(figure)
    assert written == [["0.50", "first sentence\n0.09"], ["0.50"]]


def test_a_panel_is_as_wide_as_its_bars_and_one_bar_stands_in_its_middle():
    from matplotlib import pyplot

    def table(count):
        rows = [(str(index), 0.5, 0.4, 0.6) for index in range(count)]
        return Table("t", "Many words in a title " * 3, ("bin", "f1", "low", "high"), rows, drawn=BARS)

    figure = _panels([table(1), table(10)], [])
    figure.canvas.draw()
    one, ten = figure.axes
    low, high = one.get_xlim()
    widths = [axes.get_position().width for axes in (one, ten)]
    rendered = [axes.title.get_window_extent().width / figure.bbox.width for axes in (one, ten)]
    pyplot.close(figure)
    assert low == pytest.approx(-high)
    assert high < 2
    assert 2 < widths[1] / widths[0] < 5
    assert rendered[0] < 1.4 * widths[0]
