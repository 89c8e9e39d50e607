"""Positions that depend on the longest window: windows of unequal length share no batch, and no keys are cached."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as tf

from ctxlab.command.compose import compose
from ctxlab.config.keys.run import TrainerConfig
from ctxlab.core.generation import Decoding
from ctxlab.core.types import Encoded
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.optim.tuning.full import Full
from ctxlab.runtime.forward import Passes, make_items, model_call
from ctxlab.strategies.positions.keep import Keep
from ctxlab.tasks.lm import LM
from ctxlab.workbench.assemble import assemble
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.parts import make_strategy

CPU = torch.device("cpu")
TRAINED, LENGTH = 48, 160


@pytest.fixture(scope="module", params=["dynamic_ntk", "longrope"])
def opened(request):
    """Model and strategy whose angles differ for windows within and beyond the trained length."""
    words = ["strategy=chunk", f"strategy/positions={request.param}"]
    if request.param == "longrope":
        words += [f"strategy.positions.{name}=[{','.join(['1.5'] * 8)}]" for name in ("long_factor", "short_factor")]
        words[-1] = words[-1].replace("1.5", "1.0")
    strategy = make_strategy(compose("train", words).strategy)
    source = TinyLlama(hidden_size=32, num_layers=2, num_heads=2, trained_length=TRAINED)
    model, facts = assemble(strategy, source, LM(), Full(), LENGTH)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # attention of a new model is so flat that other angles would hardly show
    return SimpleNamespace(strategy=strategy, model=model.eval(), facts=facts)


def document(length, seed=0):
    ids = np.random.default_rng(seed).integers(5, 60, length)
    return Encoded(ids, np.arange(length), np.full(length, -100))


def test_a_window_gives_the_same_outputs_whatever_is_read_beside_it(opened):
    """Oracle: one call of the model for each window."""
    items = [item for length in (30, LENGTH, 100, 30) for item in own_items(opened, document(length, length))]
    found = {}
    with torch.no_grad():
        for passed in Passes(opened.strategy, model_call(opened.model), 0, CPU).run(items):
            for row, (i, _) in enumerate(passed.rows):
                found[i] = passed.outputs[row, : len(items[i])]
        for i, item in enumerate(items):
            alone = opened.model(input_ids=torch.tensor(item.windows[0].input_ids)[None]).logits[0]
            assert torch.allclose(found[i], alone, atol=1e-5)
        together = opened.model(
            input_ids=torch.tensor(np.stack([np.pad(item.windows[0].input_ids, (0, LENGTH - len(item)))
                                             for item in items])),
            attention_mask=torch.tensor([[1] * len(item) + [0] * (LENGTH - len(item)) for item in items]),
        ).logits  # fmt: skip
    assert not torch.allclose(together[0, :30], found[0], atol=1e-3)  # it would show


def own_items(opened, encoded):
    return make_items(0, encoded, opened.strategy.reading.windows(encoded, LENGTH))


def test_every_generated_token_rotates_all_keys_again(opened):
    """Oracle: a full forward pass over the text so far for every token."""
    task = SimpleNamespace(decoding=Decoding(max_new_tokens=8), stops=(3,), generates=True)
    bench = Workbench(
        task=task, tokenizer=SimpleNamespace(pad_token_id=0), model=opened.model, strategy=opened.strategy,
        facts=opened.facts, accelerator=SimpleNamespace(device=CPU), length=LENGTH,
        settings=TrainerConfig(tokens_per_forward=4096),
    )  # fmt: skip
    lengths = (20, TRAINED - 3, LENGTH - 8, 90)
    windows = [opened.strategy.reading.windows(document(length, length), LENGTH)[0] for length in lengths]
    for window, written in zip(windows, bench._generator().generate([[one] for one in windows]), strict=True):
        ids = window.input_ids.tolist()
        with torch.inference_mode():
            for _ in range(8):
                ids.append(int(opened.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
                if ids[-1] == 3:
                    break
        assert written.token_ids.tolist() == [token for token in ids[len(window) :] if token != 3]


@pytest.mark.parametrize(("length", "follows"), [(64, False), (65, True)])
def test_a_model_published_with_such_positions_is_known(length, follows):
    rope = {"rope_type": "longrope", "rope_theta": 10_000.0, "factor": 4.0, "original_max_position_embeddings": 64,
            "long_factor": [2.0] * 4, "short_factor": [1.0] * 4}  # fmt: skip
    config = tf.LlamaConfig(
        vocab_size=60, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=256, rope_parameters=rope,
    )  # fmt: skip
    part = Keep()
    part.extend(tf.LlamaForCausalLM(config), length)
    assert part.by_batch is follows
