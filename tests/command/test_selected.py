"""Options that words choose, and the keys under them; Hydra's own composition is the oracle."""

import pytest

from ctxlab.command import selected
from ctxlab.command.compose import compose
from ctxlab.config import catalogue


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {}),
        (["seed=1", "trainer.max_steps=3"], {}),
        (["task=qa", "task=ner"], {"task": ["ner"]}),
        (["strategy=chunk,dense"], {"strategy": ["chunk", "dense"]}),
        (["strategy=choice(chunk,dense)"], {"strategy": ["chunk", "dense"]}),
        (["+tracking='none'"], {"tracking": ["none"]}),
        (["task=nonsense"], {}),
    ],
)
def test_the_last_word_of_a_group_counts(words, expected):
    found = selected.options(words)
    assert {group: sorted(names) for group, names in found.items()} == expected


def test_a_pattern_may_be_any_option():
    assert selected.options(["strategy=glob(*)"]) == {"strategy": catalogue.options("strategy")}


def dotted(config, prefix=""):
    for key, value in config.items_ex(resolve=False):
        name = f"{prefix}{key}"
        yield name
        if hasattr(value, "items_ex"):
            yield from dotted(value, f"{name}.")


@pytest.mark.by_default(1)
@pytest.mark.parametrize("words", [[], ["strategy=bigbird", "optimizer=sgd"], ["task=qa", "model=tiny_t5"]])
def test_the_keys_are_those_that_hydra_composes(words):
    composed = {key for key in dotted(compose("train", words)) if "_target_" not in key}
    assert set(selected.keys("train", words)) <= composed
    assert {"seed", "trainer.max_steps", "strategy.name"} <= set(selected.keys("train", words))
    assert ("optimizer.momentum" in selected.keys("train", words)) == ("optimizer=sgd" in words)


def test_in_a_sweep_they_are_those_of_any_job():
    keys = selected.keys("train", ["optimizer=adamw,sgd"])
    assert {"optimizer.betas", "optimizer.momentum"} <= set(keys)
