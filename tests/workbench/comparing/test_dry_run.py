"""Two names of one computation are found, and two computations are not taken for one."""

import pytest

from ctxlab.workbench.comparing.dry_run import dry_run
from ctxlab.workbench.corpus import Corpus
from tests.workbench.planning.test_measuring import opened


def run(tmp_path, *options):
    parts, bench, documents = opened(tmp_path, *options)
    encoded = bench.encode(documents)
    return dry_run(bench, parts.strategy, Corpus({"train": encoded, "validation": [], "test": []}, None))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Documents of about 1,900 tokens, each in one window."""
    return run(tmp_path_factory.mktemp("whole"), "strategy=chunk", "context=3000", "model.trained_length=3000")


@pytest.mark.by_default(3)
@pytest.mark.parametrize(
    ("options", "same"),
    [
        (("strategy=truncate", "context=3000"), True),  # nothing is divided, and nothing left out
        (("strategy=chunk", "context=2500"), True),
        (("strategy=chunk", "context=300"), False),
        (("strategy=truncate", "context=300"), False),
        (("strategy=longformer", "context=3000", "strategy/positions=keep"), False),
        (("strategy=hierarchical", "context=3000"), False),  # its layers come after the window
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_what_is_the_same_computation(options, same, whole, tmp_path):
    found = run(tmp_path, *options, "model.trained_length=3000")
    assert found.equals(whole) == whole.equals(found) == same


@pytest.mark.slow
@pytest.mark.parametrize(("window", "same"), [(3000, True), (300, False)])
def test_a_decoder_that_reads_one_window_is_the_same_as_without(window, same, tmp_path):
    writes = ("task=summarization", "model=tiny_t5", "context=3000", "task.decoding.max_new_tokens=2")
    plain = run(tmp_path / "a", *writes, "strategy=chunk")
    found = run(tmp_path / "b", *writes, "strategy=fusion_in_decoder", f"strategy.reading.window={window}")
    assert found.equals(plain) == same
