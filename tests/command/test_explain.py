"""Which error of a chain is explained, with which exit status; nothing here runs a command."""

import errno
import os
import signal

import pytest
from hydra.errors import MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ctxlab.command.explain import explain, is_mistake
from ctxlab.core.errors import CheckFailed, Diverged, Interrupted, UserError


def raised(*errors):
    """The last error, raised from the ones before it."""
    try:
        if len(errors) > 1:
            raise errors[-1] from raised(*errors[:-1])
        raise errors[0]
    except BaseException as error:
        return error


def test_a_mistake_within_the_chain_is_what_is_explained():
    found = explain(raised(UserError("seed=x is\n  no number."), ValueError("wrapped"), RuntimeError("again")))
    assert (found.sentence, found.status, found.unexpected) == ("seed=x is no number.", 2, False)
    assert is_mistake(raised(UserError("x"), RuntimeError("y")))
    assert not is_mistake(raised(ValueError("x"), RuntimeError("y")))


def test_of_two_mistakes_the_first_cause_is_explained():
    assert explain(raised(UserError("seed=x"), UserError("the run failed"))).sentence == "seed=x"


def test_what_another_error_was_raised_from_none_is_not_explained():
    try:
        try:
            raise UserError("hidden")
        except UserError:
            raise ValueError("shown") from None
    except ValueError as error:
        found = explain(error)
    assert found.unexpected
    assert "shown" in found.sentence


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_the_status_that_shells_give_it(number):
    assert explain(raised(Interrupted(number, "stopped"))).status == 128 + number


def test_a_scheduler_that_warns_and_training_that_diverges_have_a_status_of_their_own():
    assert explain(raised(Interrupted(signal.SIGUSR1, "stopped"))).status == 75
    assert explain(raised(Diverged("the loss is nan"))).status == 3


def test_a_failed_check_is_no_mistake_and_no_fault_of_ours():
    found = explain(raised(CheckFailed("reach does not hold")))
    assert (found.status, found.unexpected) == (1, False)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.ENOENT, errno.EROFS, errno.EMFILE])
def test_an_error_of_the_system_is_said_in_its_own_words(number):
    found = explain(raised(OSError(number, os.strerror(number), "a/b"), RuntimeError("wrapped")))
    assert found.sentence.startswith(f"{os.strerror(number)} (a/b): ")
    assert found.status == 2


def test_a_full_disk_is_known_by_its_words_too():
    """Libraries that write for themselves raise errors of their own."""
    assert explain(raised(RuntimeError("I/O error: No space left on device (os error 28)"))).status == 2


def test_anything_else_is_unexpected_and_shown():
    found = explain(raised(KeyError("weights")))
    assert (found.status, found.unexpected) == (1, True)
    assert "KeyError" in found.sentence
    assert "weights" in found.sentence
    assert explain(raised(RuntimeError())).sentence.startswith("Unexpected RuntimeError")


def test_a_key_that_is_not_there_is_named_with_the_nearest():
    config = OmegaConf.create({"trainer": {"max_steps": 1, "max_epochs": 2}})
    OmegaConf.set_struct(config, True)
    with pytest.raises(OmegaConfBaseException) as caught:
        config.trainer.max_step = 3
    found = explain(caught.value)
    assert found.status == 2
    assert "trainer.max_step;" in found.sentence
    assert "'max_steps'" in found.sentence


@pytest.mark.parametrize(("name", "extra"), [("joblib", "joblib"), ("submitit_slurm", "submitit")])
def test_a_launcher_that_is_not_installed_is_named_with_its_extra(name, extra):
    error = MissingConfigException(f"Could not find 'hydra/launcher/{name}'\n\nAvailable options:\n\tbasic", name)
    found = explain(raised(error))
    assert found.status == 2
    assert found.sentence == f"hydra/launcher={name} is not installed: pip install 'ctxlab[{extra}]'."
