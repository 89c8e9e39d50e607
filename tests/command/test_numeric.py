"""Numbers as options, held against what Hydra itself composes and sweeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.command import numeric
from ctxlab.command.compose import compose
from ctxlab.command.overrides import parse
from ctxlab.config import catalogue
from ctxlab.core.errors import UserError

PRESETS = ["512", "1024", "2048", "4096", "8192", "16384"]


def rewritten(word):
    return numeric.rewrite(parse([word])[0])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("context=4096", "context='4096'"),
        ("context='4096'", "context='4096'"),
        ('context="6000"', "context.length=6000"),
        ("context=6000", "context.length=6000"),
        ("context=4_096", "context='4096'"),
        ("context=512,1024,4096", "context='512','1024','4096'"),
        ("context=512,6000", "context.length=512,6000"),
        ("context=choice(512,1024)", "context='512','1024'"),
        ("context=choice(6000)", "context.length=6000"),
        ("context=sort(4096,512,reverse=true)", "context='4096','512'"),
        ("context=shuffle(512,1024)", "context=shuffle('512','1024')"),
        ("context=range(512,2049,512)", "context.length=512,1024,1536,2048"),
        ("context=range(512,1025,512)", "context='512','1024'"),
        ("context=glob(*)", "context='512','1024','2048','4096','8192','16384'"),
        ("context=glob([1*,512],exclude=16*)", "context='512','1024'"),
        ("+context=512", "+context=512"),
        ("~context", "~context"),
        ("context.length=6000", "context.length=6000"),
        ("seed=512", "seed=512"),
        ("task=ner", "task=ner"),
        ("strategy=glob(*)", "strategy=glob(*)"),
    ],
)
def test_rewriting_by_hand(word, expected):
    assert rewritten(word) == expected


@given(st.lists(st.one_of(st.sampled_from(PRESETS).map(int), st.integers(16, 10**7)), min_size=1, max_size=5))
def test_a_sweep_yields_exactly_the_lengths_that_were_asked_for(lengths):
    override = parse([rewritten(f"context={','.join(map(str, lengths))}")])[0]
    values = list(override.sweep_string_iterator()) if override.is_sweep_override() else [override.get_value_string()]
    assert [int(value.strip("'")) for value in values] == lengths
    assert (override.key_or_group == "context") == all(str(length) in PRESETS for length in lengths)


@pytest.mark.parametrize(
    "word", ["context=abc", "context=15", "context=0", "context=512,0", "context=1.5", "context=true"]
)
def test_what_is_no_length_is_refused(word):
    with pytest.raises(UserError, match="16"):
        rewritten(word)


@pytest.mark.by_default(2)
@pytest.mark.parametrize("length", [16, 512, 6000, 16384, 131072])
def test_the_composed_length_is_the_one_asked_for(length):
    assert compose("train", [f"context={length}"]).context == {"length": length}


def test_every_preset_holds_the_length_of_its_name_and_nothing_else():
    assert catalogue.options("context") == PRESETS
    for option in PRESETS:
        assert catalogue.read(catalogue.option_file("context", option)) == {"length": int(option)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "lengths"),
    [
        ("context=512,6000", [512, 6000]),
        ("context=range(1024,2049,1024)", [1024, 2048]),
        pytest.param("context=512,1024,4096", [512, 1024, 4096], marks=pytest.mark.slow),
        pytest.param("context=glob(*)", [512, 1024, 2048, 4096, 8192, 16384], marks=pytest.mark.slow),
    ],
)
def test_a_multirun_runs_one_job_a_length(ctxlab, word, lengths):
    outcome = ctxlab("train", "-m", word)
    assert outcome.status == 0
    assert [config.context.length for config, _ in outcome.calls] == lengths
