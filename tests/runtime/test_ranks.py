"""What processes tell one another; with two of them in tests/faults/test_ranks.py."""

import pytest
import torch

from ctxlab.core.errors import ProcessLost
from ctxlab.runtime import ranks


def test_a_process_alone_hears_itself():
    own = ranks.current()
    tensor = torch.ones(3)
    own.add(tensor)
    own.copy([tensor])
    assert own.table([1.0, 2.0]).tolist() == [[1.0, 2.0]]
    assert own.told({"a": None}) == {"a": None}
    assert tensor.tolist() == [1.0] * 3
    assert own.leads
    assert ranks.remembered() == ""


def test_what_fails_between_processes_is_said_in_a_sentence():
    def gone():
        raise RuntimeError("Connection closed by peer")

    with pytest.raises(ProcessLost, match="Another process of the run ended"):
        ranks.collective(gone)
