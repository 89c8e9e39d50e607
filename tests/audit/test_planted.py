"""Every check finds what was planted, and nothing in a run without; with many seeds the rates are those promised."""

import pytest
from scipy.stats import binom

from ctxlab.config import catalogue
from ctxlab.core.audit import Verdict
from tests.audit.planted import CASES


def found(check, seeds):
    verdicts = [check(seed).verdict for seed in range(seeds)]
    assert {*verdicts} <= {Verdict.PASS, Verdict.FOUND}
    return verdicts.count(Verdict.FOUND)


def test_every_check_has_a_planted_effect():
    assert {name.split()[0] for name in CASES} == set(catalogue.options("audit"))


@pytest.mark.parametrize("name", CASES)
def test_a_planted_effect_is_found_and_chance_is_not(name):
    """The bounds leave a right check one chance in a thousand to fail; more seeds are below."""
    seeds = 2
    assert found(CASES[name].effect, seeds) >= binom.ppf(0.001, seeds, 0.95)
    assert found(CASES[name].clean, seeds) <= binom.ppf(0.999, seeds, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_rates_over_many_seeds(name):
    assert found(CASES[name].effect, 100) / 100 >= 0.95
    assert found(CASES[name].clean, 200) / 200 <= 0.05
