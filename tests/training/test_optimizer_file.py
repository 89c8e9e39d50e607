"""Optimizer state survives saving bit for bit, and training continues exactly."""

import pytest
import torch

from ctxlab.optim.optimizers.adafactor import Adafactor
from ctxlab.optim.optimizers.adamw import Adamw
from ctxlab.optim.optimizers.sgd import Sgd
from ctxlab.optim.parameters import parameter_groups
from ctxlab.optim.tuning.full import Full
from ctxlab.training.optimizer_file import load_optimizer, save_optimizer

FACTORIES = {
    "adamw": Adamw(1e-2, 0.01, (0.9, 0.999), 1e-8),
    "sgd": Sgd(1e-2, 0.01, 0.9, True),
    "adafactor": Adafactor(1e-2, 0.01, -0.8, 1.0),
}


def make(name: str) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 2))
    factory = FACTORIES[name]
    return model, factory.build(parameter_groups(Full().groups(model), factory.weight_decay))


def step(model, optimizer, index):
    torch.manual_seed(index)
    loss = model(torch.randn(16, 4)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@pytest.mark.parametrize("name", FACTORIES)
def test_training_continues_bit_identically(name, tmp_path):
    model, optimizer = make(name)
    for index in range(3):
        step(model, optimizer, index)
    save_optimizer(optimizer, tmp_path / "optimizer.safetensors")
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    for index in range(3, 6):
        step(model, optimizer, index)

    again, fresh = make(name)
    again.load_state_dict(weights)
    load_optimizer(fresh, tmp_path / "optimizer.safetensors")
    for index in range(3, 6):
        step(again, fresh, index)
    for key, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key


@pytest.mark.parametrize("name", FACTORIES)
def test_forgetting_the_state_would_be_noticed(name, tmp_path):
    """The test above could not fail if three more steps did not depend on the state."""
    model, optimizer = make(name)
    for index in range(3):
        step(model, optimizer, index)
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    step(model, optimizer, 3)
    again, fresh = make(name)
    again.load_state_dict(weights)
    step(again, fresh, 3)
    assert any(not torch.equal(value, again.state_dict()[key]) for key, value in model.state_dict().items())


def test_biases_and_norms_do_not_decay():
    model, optimizer = make("adamw")
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {name: decay[id(p)] for name, p in model.named_parameters()} == {
        "0.weight": 0.01, "0.bias": 0.0, "1.weight": 0.0, "1.bias": 0.0, "2.weight": 0.01, "2.bias": 0.0,
    }  # fmt: skip


def test_equal_states_are_equal_files(tmp_path):
    model, optimizer = make("adamw")
    step(model, optimizer, 0)
    for index in range(8):
        save_optimizer(optimizer, tmp_path / f"{index}")
    assert len({(tmp_path / f"{index}").read_bytes() for index in range(8)}) == 1
