"""Language models over overlapping windows: each token is predicted in the window with the most tokens before it."""

import numpy as np
import pytest
import torch

from ctxlab.command.compose import compose
from ctxlab.core.errors import UserError
from ctxlab.core.types import Encoded
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.optim.tuning.full import Full
from ctxlab.runtime.reader import Reader
from ctxlab.tasks.lm import LM, next_tokens
from ctxlab.tasks.mlm import MLM
from ctxlab.tasks.ner import NER
from ctxlab.workbench.assemble import assemble
from ctxlab.workbench.parts import make_strategy

LENGTH, OVERLAP = 32, 20


def opened(task, source, *words):
    words = ["strategy=chunk", f"strategy.reading.overlap_tokens={OVERLAP}", *words]
    strategy = make_strategy(compose("train", words).strategy)
    model, _ = assemble(strategy, source, task, Full(), LENGTH)
    return strategy, model.eval()


@pytest.mark.parametrize("words", [(), ("strategy.reading.merge=left",)])
def test_each_token_is_predicted_with_all_the_context_that_the_stride_leaves(words):
    """Oracle: for each token one call of the model, over the first window of the stride that ends with it or later."""
    task = LM()
    strategy, model = opened(task, TinyLlama(hidden_size=32, num_layers=2), *words)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    ids = np.random.default_rng(0).integers(5, 60, 101)
    encoded = Encoded(ids, np.arange(len(ids)), next_tokens(ids))
    reader = Reader(model, strategy, LENGTH, 4096, 0, torch.device("cpu"), task.reduce_outputs)
    (merged,) = reader.read([encoded])
    step = LENGTH - OVERLAP
    for place in range(len(ids) - 1):
        start = max(0, -(-(place + 1 - LENGTH) // step)) * step
        with torch.no_grad():
            logs = model(torch.tensor(ids[start : place + 1])[None]).logits[0, -1].log_softmax(-1)
        assert merged.outputs[place, 0] == pytest.approx(-float(logs[ids[place + 1]]), abs=1e-4)


def test_a_rule_that_shortens_the_context_is_refused():
    for rule in ("mean", "central"):
        with pytest.raises(UserError, match=f"merge={rule} would score .*merge=left"):
            opened(LM(), TinyLlama(hidden_size=32, num_layers=1), f"strategy.reading.merge={rule}")


@pytest.mark.parametrize(
    ("task", "source", "window"),
    [(NER(), TinyLlama(), 0), (NER(), TinyBert(), 1), (MLM(), TinyBert(), 1)],
    ids=["decoder", "encoder", "encoder and vocabulary"],
)
def test_by_default_a_token_has_the_context_that_the_model_sees(task, source, window):
    """Token 24 has 24 tokens before it and 7 after it in the first window, 12 and 19 in the second."""
    if task.name == "ner":
        task.labels = ["O", "B-A"]
    strategy, _ = opened(task, source)
    encoded = Encoded(np.arange(44), np.arange(44), np.full(44, -100))
    windows = strategy.reading.windows(encoded, LENGTH)
    assert [len(own) for own in windows] == [32, 32]
    outputs = [np.full((32, 1), number, np.float32) for number in range(2)]
    assert strategy.reading.merge(windows, outputs, 44).outputs[24, 0] == window
