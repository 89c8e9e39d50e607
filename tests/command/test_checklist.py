"""Checks of ``ctxlab audit`` on the command line: one, several or all, each with its keys below its name."""

import pytest

from ctxlab.command.compose import compose
from ctxlab.config import catalogue
from ctxlab.core.errors import UserError

SETTINGS = {"fail", "level", "least", "documents", "seed"}


def checks(*words):
    return set(compose("audit", ["task=classification", *words]).audit) - SETTINGS


@pytest.mark.slow
def test_all_checks_are_there_unless_some_are_chosen():
    assert checks() == set(catalogue.options("audit"))
    assert checks("audit=swap") == {"swap"}
    assert checks("audit=[swap,groups]") == {"swap", "groups"}
    assert checks("audit=swap", "audit=[groups]") == {"groups"}  # the last one counts, as for Hydra


def test_keys_are_below_the_name_of_the_check_and_of_a_perturbation():
    config = compose("audit", ["audit=robustness", "audit.robustness.perturb.typos.dose=0.4", "audit.least=3"])
    assert config.audit.robustness.perturb.typos.dose == 0.4
    assert config.audit.least == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["audit=swaps"], "there is no audit 'swaps'; did you mean 'swap'?"),
        (["audit=[swap,grous]"], "there is no audit 'grous'; did you mean 'groups'?"),
        (["audit.groups.feld=x"], "There is no key audit.groups.feld; did you mean 'audit.groups.field'?"),
        (["audit=swap", "audit.groups.field=x"], "There is no key audit.groups.field"),
        (["audit.fial=false"], "There is no key audit.fial; did you mean 'audit.fail'?"),
    ],
)
def test_a_mistyped_check_or_key_gets_the_nearest_one(words, sentence):
    with pytest.raises(UserError) as caught:
        compose("audit", words)
    assert sentence in str(caught.value)


def test_several_checks_in_a_sweep_are_refused_with_what_to_write():
    from ctxlab.command import front
    from ctxlab.command.flags import split

    with pytest.raises(UserError, match=r"write audit=<check> or audit=\[<check>,<check>\]"):
        front.rewrite("audit", split(["-m", "audit=swap,groups"], "audit"))
