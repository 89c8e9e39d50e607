"""Pictures are those that matplotlib's own savefig writes, at half the work."""

import numpy as np
from matplotlib import pyplot
from matplotlib.image import imread

from ctxlab.reporting import png


def test_a_picture_is_that_of_savefig(tmp_path):
    def figure():
        found, axes = pyplot.subplots(1, 2, figsize=(5, 3), layout="constrained")
        axes[0].bar(["a long name", "another one"], [0.2, 0.9])
        axes[0].tick_params(axis="x", labelrotation=30)
        axes[1].set(xlabel="tokens", ylabel="loss", title="A title\nof two lines")
        return found

    expected = figure()
    expected.savefig(tmp_path / "expected.png", dpi=120)
    pyplot.close(expected)
    path = png.save(figure(), tmp_path / "found.png")
    assert np.array_equal(imread(path), imread(tmp_path / "expected.png"))
    assert not pyplot.get_fignums()
