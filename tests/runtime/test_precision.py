"""Heads whose outputs are ranked give, under autocast, what the same head gives for the same states in fp64."""

import pytest
import torch

from ctxlab.command.compose import compose
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_gpt2 import TinyGpt2
from ctxlab.models.tiny_t5 import TinyT5
from ctxlab.optim.tuning.full import Full
from ctxlab.runtime.precision import exact, make_head_exact
from ctxlab.tasks.ner import NER
from ctxlab.workbench.assemble import assemble
from ctxlab.workbench.parts import make_strategy

HEADS = [("sequence_classification", ["other", "chosen"]), ("token_classification", ["a", "b", "c"]),
         ("question_answering", [])]  # fmt: skip


def head_of(model):
    return next(module for name, module in model.named_children() if name in ("classifier", "score", "qa_outputs"))


@pytest.mark.parametrize(("head", "labels"), HEADS, ids=[head for head, _ in HEADS])
@pytest.mark.parametrize("source", [TinyBert, TinyGpt2], ids=["bert", "gpt2"])
def test_outputs_that_are_compared_are_exact_under_autocast(source, head, labels):
    model = source(hidden_size=32, num_layers=1).build(head, labels)
    make_head_exact(model, head)
    model.config.pad_token_id = 0
    head_module, seen, given = head_of(model), [], []

    def keep(_, args, output):
        seen.append(args[0])
        given.append(output)

    head_module.register_forward_hook(keep)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        model(torch.randint(5, 60, (40, 30)))
        assert torch.is_autocast_enabled("cpu")
    weight, states = head_module.weight.double(), seen[0].double()
    bias = 0 if head_module.bias is None else head_module.bias.double()
    assert torch.allclose(given[0].double(), states @ weight.T + bias, atol=1e-6)


def test_candidates_do_not_tie():
    model = TinyBert(hidden_size=64, num_layers=1).build("sequence_classification", ["other", "chosen"])
    with torch.no_grad():
        model.classifier.bias.copy_(torch.tensor([4.0, -4.0]))  # as sure as a trained one
    ids = torch.randint(5, 200, (300, 20), generator=torch.Generator().manual_seed(0))

    def distinct():
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            logits = model(ids).logits.float()
        return len((logits[:, 1] - logits[:, 0]).unique())

    assert distinct() < 100  # in bf16
    make_head_exact(model, "sequence_classification")
    assert distinct() > 290


def test_a_head_that_learns_gets_its_gradient_and_a_vocabulary_stays_as_it_is():
    model = TinyBert(hidden_size=32, num_layers=1).build("token_classification", ["a", "b"])
    make_head_exact(model, "token_classification")
    with torch.autocast("cpu", torch.bfloat16):
        model(torch.randint(5, 60, (2, 9))).logits.sum().backward()
    assert model.classifier.weight.grad.dtype == torch.float32
    assert model.base_model.embeddings.word_embeddings.weight.grad.abs().sum() > 0
    writer = TinyT5(hidden_size=32, num_layers=1).build("seq2seq_lm", [])
    make_head_exact(writer, "seq2seq_lm")
    assert not writer.lm_head._forward_pre_hooks


def test_autocast_comes_back_when_a_module_fails():
    module = torch.nn.Linear(3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        with exact(module), pytest.raises(RuntimeError):
            module(torch.zeros(2, 5))
        assert module(torch.zeros(2, 3)).dtype == torch.bfloat16


def test_every_assembled_model_has_such_a_head():
    task = NER()
    task.labels = ["O", "B-A"]
    strategy = make_strategy(compose("train", ["strategy=chunk"]).strategy)
    model, _ = assemble(strategy, TinyBert(hidden_size=32, num_layers=1), task, Full(), 64)
    states = torch.randn(8, 32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        given = model.classifier(states)
    weight, bias = model.classifier.weight.double(), model.classifier.bias.double()
    assert torch.allclose(given.double(), states.double() @ weight.T + bias, atol=1e-6)
