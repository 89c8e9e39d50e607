"""Windows that 2 and 4 processes hold together: attention equals the definition, in outputs and gradients.

The oracle is dense attention in float64 under a mask that is written pair by pair. Two layers follow one another, so
that an exchange in another order than the neighbour's would hang.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CASES = {
    "bidirectional": {},
    "causal": {"causal": True},
    "uneven blocks": {"length": 96, "window": 11, "lost": [0, 5]},
    "uneven blocks, causal": {"length": 96, "window": 11, "lost": [0, 5], "causal": True},
    "several global tokens": {"num_global": 3},
    "several global tokens, causal": {"num_global": 3, "causal": True},
    "no global tokens": {"num_global": 0},
    "parts of padding only": {"lost": [150, 3]},
    "parts of padding only, causal": {"lost": [150, 3], "causal": True},
    "padding before the tokens": {"lost": [-30, -2]},
    "shared key heads": {"heads": 4, "key_heads": 2},
    "shared key heads, causal": {"heads": 4, "key_heads": 2, "causal": True},
    "pieces": {"tokens_per_call": 64, "num_global": 2},
    "a window as wide as a part": {"length": 64, "window": 16, "lost": [0, 1]},
    "single precision": {"dtype": "float32"},
    "single precision, causal": {"dtype": "float32", "causal": True},
}
USUAL = {
    "length": 160, "window": 16, "num_global": 1, "causal": False, "batch": 2, "heads": 2, "key_heads": 2,
    "lost": [0, 20], "tokens_per_call": 2048, "dtype": "float64", "seed": 3,
}  # fmt: skip
PLANTED = {
    "a halo from the wrong side": {},
    "a lost gradient of the halo": {},
    "a lost gradient of global tokens": {},
    "shares merged without log-sum-exp": {},
    "a causal halo that leaks the future": {"causal": True},
}
LONGER = 3
"""Times the usual length."""

TOLERANCE = {"float64": 1e-12, "float32": 2e-6}


COUNTS = [2, pytest.param(4, marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=COUNTS)
def count(request):
    """Number of processes."""
    return request.param


@pytest.fixture(scope="module")
def found(count):
    """Deviations of every process in every case, on so many processes."""
    cases = {(name, count): {**USUAL, **case, "count": count} for name, case in CASES.items()}
    cases |= {(name, count): {**USUAL, **case, "fault": name, "count": count} for name, case in PLANTED.items()}
    longer = {**USUAL, "length": USUAL["length"] * LONGER}
    cases |= {("longer", count): {**longer, "count": count}}
    command = [sys.executable, "-m", "tests.strategies.attention.kernels.split_driver"]
    out = subprocess.run(
        command, input=json.dumps(list(cases.values())), capture_output=True, text=True, timeout=120,
        cwd=Path(__file__).parents[4],
    )  # fmt: skip
    assert out.returncode == 0, out.stderr[-3000:]
    return dict(zip(cases, json.loads(out.stdout.splitlines()[-1]), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_are_those_of_dense_attention(name, count, found):
    tolerance = TOLERANCE[CASES[name].get("dtype", USUAL["dtype"])]
    assert len(found[name, count]) == count
    for own in found[name, count]:
        assert max(own["outputs"], own["gradients"], own["against one process"]) <= tolerance


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_seen(name, count, found):
    assert max(max(own["outputs"], own["gradients"]) for own in found[name, count]) > 1e-3


def test_what_is_sent_does_not_depend_on_the_length(count, found):
    """It is, for two layers of B windows with 8-byte numbers, what docs/context_parallel.md says."""
    sent = [own["sent"] for own in found["bidirectional", count]]
    assert sent == [own["sent"] for own in found["longer", count]]
    keys, queries = 2 * 2 * 8, 2 * 8  # numbers of a token's keys and values, and of its queries
    rows = queries + 2  # outputs of a global token and the log-sum-exp of its heads
    halo = 2 * USUAL["window"] * keys  # forward and backward
    inner, last = 2 * halo + rows + keys + queries, halo + rows + keys + queries
    first = halo + (count - 1) * (keys + queries + rows + 2)
    assert sent == [2 * 8 * 2 * numbers for numbers in [first, *[inner] * (count - 2), last]]
