"""Memories through the real command: they train, reload with the same scores, and what cannot work is refused."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification

from ctxlab.cli import main
from ctxlab.command.compose import compose
from ctxlab.core.errors import UserError
from ctxlab.core.model import ModelFacts
from ctxlab.core.strategy import Strategy
from ctxlab.core.types import Encoded
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.optim.tuning.full import Full as Tuned
from ctxlab.runtime.forward import Passes, make_items, model_call
from ctxlab.tasks.ner import NER
from ctxlab.workbench.assemble import assemble
from ctxlab.workbench.fit import check_fit
from ctxlab.workbench.parts import make_strategy
from tests.stages.conftest import SMALL, result, train

WINDOW = "strategy.reading.window=64"
CASES = {
    "rmt-llama": ("model=tiny_llama", "strategy=rmt", WINDOW, "strategy.memory.num_tokens=3"),
    "rmt-bert": ("model=tiny_bert", "strategy=rmt", WINDOW, "strategy.memory.bptt_windows=2"),
    "rmt-t5": ("model=tiny_t5", "strategy=rmt", WINDOW),  # its encoder, as the task reads tokens
    "rmt-local": ("model=tiny_bert", "strategy=rmt", "strategy/attention=local", WINDOW),
    "transformer_xl": ("model=tiny_llama", "strategy=transformer_xl", WINDOW),
    "transformer_xl-bf16": ("model=tiny_llama", "strategy=transformer_xl", WINDOW, "trainer.precision=bf16"),
    "streaming": ("model=tiny_llama", "strategy=streaming", WINDOW, "strategy.memory.window=60"),
    "streaming-local": ("model=tiny_llama", "strategy=streaming", "strategy/attention=local", WINDOW),
}


USUAL = {"rmt-bert", "transformer_xl", "streaming"}
"""The others go through the same code, and are slow tests."""


def saved(run):
    return run / result(run)["checkpoint"]


@pytest.fixture(
    scope="module", params=[name if name in USUAL else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def case(request, tmp_path_factory):
    """A finished run with documents of many windows."""
    folder = tmp_path_factory.mktemp("memory") / "run"
    assert train(folder, *CASES[request.param]) == 0
    return request.param, folder


@pytest.mark.parametrize("splits", [["test"], pytest.param(["validation", "test"], marks=pytest.mark.slow)], ids=len)
def test_it_trains_and_eval_gives_the_same_scores(case, splits, tmp_path):
    name, run = case
    assert result(run)["strategy"] == name.split("-")[0]
    assert result(run)["coverage"]["test"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}
    for split in splits:
        assert main(["eval", f"run={run}", f"split={split}", f"hydra.run.dir={tmp_path / split}"]) == 0
        assert result(tmp_path / split)["metrics"][split] == result(run)["metrics"][split]


@pytest.mark.slow
def test_a_checkpoint_is_resumed(case):
    _, run = case
    assert main(["train", f"resume={run}", "trainer.max_steps=5"]) == 0
    assert result(run)["cost"]["train_steps"] == 5


@pytest.mark.slow
def test_the_first_memory_is_trained_saved_and_needed(tmp_path, refused):
    folders = [tmp_path / name for name in ("one", "two")]
    for folder, steps in zip(folders, (1, 3), strict=True):
        assert train(folder, *CASES["rmt-bert"], f"trainer.max_steps={steps}") == 0
    one, two = (load_file(saved(folder) / "model.safetensors")["ctxlab_parts.memory.start"] for folder in folders)
    assert one.shape == (10, 64)
    assert not torch.equal(one, two)
    AutoModelForTokenClassification.from_pretrained(saved(folders[0]))  # the rest loads without us
    words = ["eval", f"run={folders[0]}", f"hydra.run.dir={tmp_path / 'e'}", "strategy.memory.num_tokens=4"]
    assert "without this memory part of the strategy, or with another size" in refused(words)


def strategy(*options: str) -> Strategy:
    return make_strategy(compose("train", list(options)).strategy)


@pytest.mark.slow
def test_a_reloaded_memory_gives_the_same_logits(tmp_path):
    """Another seed draws another first memory, which must not survive loading."""
    assert train(tmp_path / "run", *CASES["rmt-llama"]) == 0
    source, models = Checkpointed(str(saved(tmp_path / "run"))), []
    options = ("context=256", *CASES["rmt-llama"])
    for seed in (1, 2):
        torch.manual_seed(seed)
        task, parts = NER(), strategy(*options)
        task.labels = source.labels()
        model, _ = assemble(parts, source, task, Tuned(), 256)
        before = parts.memory.start(1).detach().clone()
        source.load_added_modules(model)
        ids = torch.arange(5, 69)[None]
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        outputs, state = parts.memory.step(lambda given, model=model: model(**given), inputs, parts.memory.start(1))
        models.append((before, outputs, state))
    (first, *one), (second, *two) = models
    assert not torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.by_default(3)
@pytest.mark.parametrize(
    ("options", "source", "length", "window", "taken"),
    [
        (("strategy=rmt",), TinyBert(), 4096, 492, 502),
        (("strategy=rmt",), TinyLlama(), 4096, 1004, 1024),
        (("strategy=transformer_xl",), TinyLlama(), 4096, 512, 1024),
        (("strategy=transformer_xl", "strategy.memory.tokens=100"), TinyLlama(), 4096, 924, 1024),
        (("strategy=transformer_xl", "strategy.reading.window=100"), TinyLlama(), 4096, 100, 200),
        (("strategy=streaming",), TinyLlama(), 100_000, 512, 1024),
        (("strategy=streaming",), TinyLlama(trained_length=8192), 100_000, 7680, 8192),
        (("strategy=streaming",), TinyLlama(), 300, 300, 812),
    ],
)
def test_windows_and_memory_fill_what_the_model_was_trained_for(options, source, length, window, taken):
    parts = strategy(f"context.length={length}", *options)
    assemble(parts, source, NER(["PER"]), Tuned(), length)
    assert (parts.reading.longest(length), parts.num_positions(length)) == (window, taken)


@pytest.mark.slow
def test_yarn_scales_for_window_and_cache_together():
    options = ("strategy=transformer_xl", "strategy/positions=yarn", "strategy.reading.window=1024")
    parts = strategy("context=4096", *options)
    model, _ = assemble(parts, TinyLlama(), NER(["PER"]), Tuned(), 4096)
    assert model.config.max_position_embeddings == 2048
    assert model.config.rope_parameters["factor"] == 2


@pytest.mark.by_default(3)
@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("strategy=rmt", "strategy/reading=chunk"), ("memory=recurrent", "strategy/reading=segments")),
        (("strategy=rmt", "strategy.memory.num_tokens=-1"), ("num_tokens=-1", "0 or more")),
        (("strategy=rmt", "strategy.memory.bptt_windows=0"), ("bptt_windows=0", "at least 1")),
        (("strategy=rmt", "strategy.memory.num_tokens=600"), ("1,200 of the 1,024 positions", "use a smaller memory")),
        (("strategy=transformer_xl",), ("memory=segment_cache", "encoder", "only decoder")),
        (("strategy=streaming",), ("memory=sinks", "encoder", "only decoder")),
        (("model=tiny_llama", "strategy=streaming", "strategy.memory.window=0"), ("window=0", "at least 1")),
        (("model=tiny_llama", "strategy=streaming", "strategy.memory.window=1020"), ("use a smaller memory",)),
        (("model=tiny_llama", "strategy=transformer_xl", "strategy.memory.tokens=-2"), ("tokens=-2", "null")),
        (("model=tiny_llama", "strategy=transformer_xl", "strategy.reading.window=600", "context=2048"),
         ("windows of 1,200 tokens", "1,024")),
        (("model=tiny_llama", "strategy=streaming", "strategy/positions=dynamic_ntk", "strategy.reading.window=1024",
          "context=2048"), ("memory=sinks", "type dynamic", "strategy/positions=yarn")),
        (("model=tiny_gpt2", "strategy=transformer_xl"), ("memory=segment_cache", "rotary", "learned", "strategy=rmt")),
        (("model=tiny_gpt2", "strategy=streaming"), ("memory=sinks", "rotary", "learned", "strategy=rmt")),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_what_does(options, parts, refused, tmp_path):
    given = {option.split("=")[0] for option in options}
    words = [word for word in SMALL if word.split("=")[0] not in given]
    error = refused(["train", *words, *options, f"hydra.run.dir={tmp_path / 'run'}"])
    assert all(part in error for part in parts), error


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", ["rmt", "transformer_xl", "streaming"])
def test_encoder_decoders_are_refused(name):
    parts = strategy(f"strategy={name}")
    with pytest.raises(UserError, match=r"does not work on a model of kind encoder_decoder.*strategy=truncate does"):
        check_fit(parts, ModelFacts("encoder_decoder", "relative", None, 2, 64), 4096)


@pytest.mark.slow
def test_a_hundred_thousand_tokens_at_constant_memory():
    """About two hundred windows of a model that was trained for 1,024 tokens."""
    parts = strategy("context.length=100000", "strategy=streaming")
    model, _ = assemble(parts, TinyLlama(), NER(["PER"]), Tuned(), 100_000)
    ids = np.random.default_rng(0).integers(5, 400, 100_000)
    encoded = Encoded(ids, np.arange(len(ids)), np.full(len(ids), -100))
    items = make_items(0, encoded, parts.reading.windows(encoded, 100_000))
    sizes, step = [], parts.memory.step

    def measured(*given):
        outputs, state = step(*given)
        sizes.append(sum(part.numel() for layer in state.layers for part in layer))
        return outputs, state

    parts.memory.step = measured
    with torch.inference_mode():
        for passed in Passes(parts, model_call(model), 0, torch.device("cpu")).run(items):
            assert passed.outputs.isfinite().all()
    assert len(items) == 1
    assert len(sizes) == 196
    assert set(sizes[1:]) == {2 * 2 * 512 * 64}  # keys and values, layers, tokens, width


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rmt", "transformer_xl", "streaming"])
def test_language_models_carry_memories_too(name, tmp_path):
    small = ("strategy.memory.window=60",) if name == "streaming" else ()
    words = ("task=lm", "model=tiny_llama", f"strategy={name}", WINDOW, "trainer.max_steps=2", *small)
    assert train(tmp_path / "run", *words) == 0
    assert result(tmp_path / "run")["coverage"]["test"]["tokens"] == 1.0
    assert main(["eval", f"run={tmp_path / 'run'}", "split=test", f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    assert result(tmp_path / "e")["metrics"]["test"] == result(tmp_path / "run")["metrics"]["test"]
