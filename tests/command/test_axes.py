"""Several values of a key as the candidates of one command."""

import pytest
from omegaconf import OmegaConf

from ctxlab.command.compose import compose
from ctxlab.core.errors import UserError


def candidates(*words: str) -> dict[str, list[str]]:
    """What the stage finds."""
    found = OmegaConf.to_container(compose("compare", words).candidates)
    assert isinstance(found, dict)
    return found


def test_values_stay_as_they_would_be_written_alone():
    assert candidates("context=512,4096", "strategy=chunk,longformer") == {
        "context": ["'512'", "'4096'"],
        "strategy": ["chunk", "longformer"],
    }


def test_any_other_key_is_a_further_axis_and_numbers_without_a_preset_are_lengths():
    found = candidates("context=512,6000", "optimizer.lr=1e-4,1e-3", "strategy=chunk")
    assert found == {"context.length": ["512", "6000"], "optimizer.lr": ["0.0001", "0.001"]}


def test_patterns_and_ranges_are_spelled_out():
    assert candidates("strategy=glob(trans*)", "trainer.tokens_per_step=range(1,3)") == {
        "strategy": ["transformer_xl"],
        "trainer.tokens_per_step": ["1", "2"],
    }


def test_a_value_that_is_given_twice_is_one_candidate():
    assert candidates("strategy=chunk,dense,chunk") == {"strategy": ["chunk", "dense"]}


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("baseline=chunk,dense", "there is one baseline"),
        ("seed=1,2,3", "write seeds=3"),
        ("seeds=1,2", "give their number"),
        ("task=ner,qa", "scores of different tasks cannot be compared"),
        ("data.documents=3,4", "needs the same for all candidates"),
        ("budget.seconds=1,2", "needs the same for all candidates"),
        ("trainer.max_steps=1,2", "needs the same for all candidates"),
        ("strategy=chunk,longfromer", "did you mean 'longformer'"),
        ("optimizer.lr=interval(0,1)", "does not list its values"),
        ("resume=a,b", "give one comparison"),
    ],
)
def test_what_a_comparison_has_one_of_is_refused_by_name(word, says):
    with pytest.raises(UserError, match=says) as caught:
        compose("compare", [word])
    assert word.split("=")[0] in str(caught.value)


def test_several_jobs_are_refused():
    with pytest.raises(UserError, match="leave out -m"):
        compose("compare", ["-m", "strategy=chunk,dense"])


def test_other_stages_still_need_m():
    with pytest.raises(UserError, match="add -m"):
        compose("train", ["strategy=chunk,dense"])


def test_experiments_are_a_further_axis_and_keep_their_plus():
    found = candidates("+experiment=ner_context,ner_reach", "context=512,4096")
    assert found == {"+experiment": ["ner_context", "ner_reach"], "context": ["'512'", "'4096'"]}
