"""The sums of a step do not depend on how its passes are grouped, padded and dealt."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from ctxlab.core.types import NO_LABEL
from ctxlab.runtime.collate import collate
from ctxlab.runtime.forward import Passes, model_call
from ctxlab.runtime.memory import LackOfMemory
from ctxlab.training.lanes import Sums
from tests.training.runs import make_job


@pytest.mark.by_default(1)
@pytest.mark.parametrize("tokens_per_forward", ["null", "64", "160"])
def test_an_auxiliary_loss_is_weighted_like_the_main_one(tokens_per_forward, tmp_path, monkeypatch):
    """The gradient of the mean over all labels of a step plus the penalty once, whatever passes it is computed in."""
    job = make_job(
        tmp_path, "strategy=adaptive_span", "strategy.attention.penalty=0.05", "strategy.attention.max_span=32",
        "strategy.attention.ramp=8", "model.dropout=0.0", "trainer.max_steps=1", "trainer.clip_norm=null",
        "optimizer=sgd", f"trainer.tokens_per_forward={tokens_per_forward}", "data.words_per_document=50",
    )  # fmt: skip
    model, epoch = job.bench.model, job.trainer.job.stream.epoch(0, 64)
    items = [epoch.items[i] for i in epoch.steps[0]]
    assert len({int((one.labels[0] != NO_LABEL).sum()) for one in items}) > 1  # shares are unequal
    found = {}
    apply = job.trainer.apply

    def spied(*given, **named):
        norm = apply(*given, **named)
        found.update({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
        return norm

    monkeypatch.setattr(job.trainer, "apply", spied)
    scores, labels = [], []
    for one in items:
        batch = collate([one.windows[0]], [one.labels[0]], 0)
        labels.append(batch.pop("labels")[0])
        scores.append(model(**batch).logits[0])
    main = functional.cross_entropy(torch.cat(scores), torch.cat(labels), ignore_index=NO_LABEL)
    shares = dict(model.named_parameters())["ctxlab_parts.attention.shares"]  # two heads in each of two layers
    (main + 0.05 * 32 * (shares[:2].mean() + shares[2:].mean())).backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    job.run()
    assert float(expected["ctxlab_parts.attention.shares"].min()) > 0.7  # the penalty is seen in it
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, atol=1e-5, rtol=1e-4), name


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    "words",
    [
        ("strategy=chunk",),
        ("strategy=longformer", "strategy.attention.window=16"),
        ("strategy=chunk", "strategy/attention=lsh", "strategy.attention.chunk=16"),
        ("strategy=rmt",),
        ("strategy=hierarchical",),
        ("task=lm", "model=tiny_llama", "strategy=transformer_xl"),
        ("task=lm", "model=tiny_llama", "strategy=chunk", "strategy/positions=dynamic_ntk"),
        ("task=summarization", "model=tiny_t5", "strategy=chunk"),
    ],
)
def test_padding_to_few_widths_changes_no_gradient(words, tmp_path):
    """Remainders after windows of 250 tokens, each alone in its pass, without padding and as in training."""
    job = make_job(
        tmp_path, *words, "context=250", "model.dropout=0.0", "trainer.clip_norm=null", "data.words_per_document=171",
        "trainer.tokens_per_forward=250",
    )  # fmt: skip
    trainer, model = job.trainer, job.bench.model
    model.eval()
    epoch = trainer.job.stream.epoch(0, 250)
    found = []
    for context_length in (None, 250):
        trainer.accumulation.passes = Passes(
            trainer.job.strategy,
            model_call(model),
            pad_id=trainer.job.tokenizer.pad_token_id,
            device=torch.device("cpu"),
            target_place=trainer.job.target_place,
            context_length=context_length,
        )
        sums = trainer.accumulation.step(epoch, range(len(epoch.items)))
        gradients = torch.cat([p.grad.flatten() for p in trainer.accumulation.trainable if p.grad is not None])
        found.append((sums.loss, sums.weight, sums.tokens, gradients.clone(), sums.padded_tokens))
        trainer.optimizer.zero_grad()
    (loss, weight, tokens, gradients, least), (*others, padded) = found
    assert others[:3] == [pytest.approx(loss, rel=1e-5), weight, tokens]
    torch.testing.assert_close(others[3], gradients, rtol=1e-4, atol=1e-5 * float(gradients.abs().max()))
    by_batch = trainer.job.strategy.positions.by_batch
    assert (padded == least) if by_batch else least < padded <= 1.04 * least


def test_every_pass_of_a_step_draws_other_numbers_whatever_its_lane(tmp_path, monkeypatch):
    found = {}
    for lanes in (1, 2, 3):
        job = make_job(tmp_path / str(lanes), f"trainer.lanes={lanes}", "trainer.tokens_per_forward=64")
        drawn = found[lanes] = {}

        def draw(items, sums, drawn=drawn):
            drawn[min(item.document for item in items), len(drawn)] = float(torch.rand(1))

        monkeypatch.setattr(job.trainer.accumulation, "_accumulate_pass", draw)
        epoch = job.trainer.job.stream.epoch(0, 64)
        for parameter in job.trainer.accumulation.trainable:
            parameter.grad = torch.zeros_like(parameter)
        job.trainer.accumulation.step(epoch, epoch.steps[0], step=3)
    draws = [sorted(drawn.values()) for drawn in found.values()]
    assert len(set(draws[0])) == len(draws[0]) > 3
    assert draws[0] == draws[1] == draws[2]


def test_lanes_of_several_processes_come_in_their_order(tmp_path):
    """Lane l belongs to process l mod 2."""
    job = make_job(tmp_path, "trainer.lanes=4")
    rest = (1, 2, 3, 4)
    others = np.array([[0, 0, 10.0, *rest, 12.0, *rest], [15, 0, 11.0, *rest, 13.0, *rest]])
    accumulation, stop = job.trainer.accumulation, job.trainer.stop
    accumulation.ranks = stop.ranks = SimpleNamespace(rank=0, size=2, table=lambda own: others)
    sums = accumulation._agree([Sums(10.0, 1, 2, 3, 4), Sums(12.0, 1, 2, 3, 4)], 0)
    assert sums[:, 0].tolist() == [10, 11, 12, 13]
    assert stop.due == 15
    others[1, 1] = 640
    with pytest.raises(LackOfMemory) as lack:
        accumulation._agree([], 0)
    assert lack.value.tokens_per_forward == 640
