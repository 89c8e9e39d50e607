"""How passes are dealt to processes; with real processes in tests/faults/test_together.py."""

import pytest

from ctxlab.runtime.sharing import TOKENS_PER_HAND, _rounds, run_shared


@pytest.mark.parametrize("processes", [2, 3, 8])
@pytest.mark.parametrize("tokens", [10, 1000, TOKENS_PER_HAND, 100_000])
@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_every_pass_is_dealt_once_and_all_have_about_the_same(processes, tokens, count):
    groups, sizes = [[i] for i in range(count)], [tokens - i % 3 for i in range(count)]
    rounds = list(_rounds(groups, sizes, processes))
    assert sorted(i for hands in rounds for hand in hands for i in hand) == list(range(count))
    for hands in rounds[:-1]:
        read = [sum(sizes[i] for i in hand) for hand in hands]
        assert len(hands) == processes
        assert min(read) > 0
        assert max(read) - min(read) <= tokens
        assert max(read) <= TOKENS_PER_HAND + 2 * tokens  # signals and results do not wait longer
    assert rounds == list(_rounds(groups, sizes, processes))


def test_a_process_alone_runs_everything_and_exchanges_nothing():
    ran, tokens = [], []

    def refuse(*_):
        raise AssertionError

    def run(group, done):
        ran.append(list(group))
        done(len(group))

    run_shared([[2, 0], [1]], [5, 5, 5], run, take=refuse, put=refuse, done=tokens.append)
    assert (ran, tokens) == ([[2, 0], [1]], [2, 1])
