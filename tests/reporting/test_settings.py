"""Configurations as flat settings, and titles that tell them apart."""

import pytest

from ctxlab.reporting.settings import data_of, differing, settings, titles

TEXT = """
stage: train
seed: 3
task: {_target_: ctxlab.tasks.ner.NER, name: ner, labels: null}
data: {_target_: ctxlab.data.sources.generated.Generated, documents: 12, evidence_distance: [16, 64], probe: "${probe}"}
probe: {name: passkey, lengths: [64]}
context: {length: 4096}
strategy: {name: longformer, attention: {_target_: ctxlab.strategies.attention.local.Local, window: 128}}
data_seed: ${seed}
tracking: {name: wandb}
"""


def test_components_are_named_by_their_files_and_presets_by_their_names():
    found = settings(TEXT)
    assert found == {
        "task": "ner", "task.labels": "null", "data": "generated", "data.documents": "12",
        "data.evidence_distance": "[16, 64]", "data.probe": "${probe}", "context.length": "4096",
        "strategy": "longformer", "strategy.attention": "local", "strategy.attention.window": "128",
        "data_seed": "${seed}",
    }  # fmt: skip
    assert set(data_of(found)) == {"data", "data.documents", "data.evidence_distance", "data.probe", "data_seed"}
    assert "probe.lengths" in settings(TEXT.replace("name: ner", "name: probe"))


@pytest.mark.parametrize("text", ["a: [", "- 1", "", "just text"])
def test_what_is_no_configuration_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"\w"):
        settings(text)


def test_a_missing_key_differs_from_any_value():
    assert differing([{"a": "1", "b": "2"}, {"a": "1"}]) == ["b"]
    assert differing([{"a": "1"}]) == []
    assert differing([]) == []


def config(strategy, length, **more):
    return {"strategy": strategy, "context.length": str(length), "strategy.attention": strategy + "-part", **more}


def test_titles_have_what_the_strategy_and_the_context_do_not_say():
    assert titles([config("chunk", 512), config("dense", 4096)]) == ["chunk at 512", "dense at 4,096"]
    rates = [config("chunk", 512, lr="1"), config("chunk", 512, lr="2"), config("dense", 512, lr="1")]
    assert titles(rates) == ["chunk at 512, lr=1", "chunk at 512, lr=2", "dense at 512, lr=1"]
    windows = [config("local", 512, **{"strategy.window": "64"}), config("local", 512, **{"strategy.window": "128"})]
    assert titles(windows) == ["local at 512, strategy.window=64", "local at 512, strategy.window=128"]
