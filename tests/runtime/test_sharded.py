"""Weights that are dealt to the processes of a run, here to one; tests/faults/test_sharded.py has several."""

import pytest
import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor

from ctxlab.core.errors import ProcessLost
from ctxlab.runtime import sharded
from ctxlab.runtime.ranks import Ranks

ALONE = Ranks()


class Tied(torch.nn.Module):
    """A table of tokens that is also the output layer, around two layers."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(7, 4)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(4, 4) for _ in range(2)])
        self.output = torch.nn.Linear(4, 7, bias=False)
        self.output.weight = self.table.weight
        self.register_buffer("scale", torch.tensor([2.0]))

    def forward(self, ids):
        hidden = self.table(ids) * self.scale
        for layer in self.layers:
            hidden = torch.tanh(layer(hidden))
        return self.output(hidden)


IDS = torch.tensor([[1, 2, 3], [4, 5, 6]])


@pytest.fixture
def group():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def make(seed=0):
    torch.manual_seed(seed)
    return Tied()


def dealt():
    model = make()
    sharded.deal(model, model.layers, torch.device("cpu"), ALONE)
    return model


def learn(model, optimizer):
    model(IDS).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_gradients_are_those_of_the_whole_model_and_are_summed(group):
    plain, model = make(), dealt()
    assert (sharded.is_dealt(plain), sharded.is_dealt(model)) == (False, True)
    for _ in range(2):  # passes of one step
        for one in (plain, model):
            one(IDS).square().sum().backward()
    for expected, found in zip(plain.parameters(), model.parameters(), strict=True):
        assert isinstance(found.grad, DTensor)
        assert torch.equal(sharded.full(found.grad), expected.grad)


def test_a_tensor_is_cut_as_another_one_is(group):
    weight = next(dealt().parameters())
    values = torch.randn(weight.shape)
    part = sharded.own_part(values, weight)
    assert (part.placements, part.device_mesh) == (weight.placements, weight.device_mesh)
    assert torch.equal(sharded.full(part), values)
    step = torch.tensor(3.0)
    assert sharded.own_part(step, weight) is step
    assert sharded.own_part(values, torch.zeros(weight.shape)) is values
    assert sharded.full(values) is values


def test_tensors_are_gathered_at_the_first_process_and_tied_ones_once(group):
    plain, named = make().state_dict(), sharded.named_weights(dealt())
    found = sharded.gathered(named, ALONE)
    assert found.keys() == plain.keys()
    assert all(torch.equal(found[name], plain[name]) for name in plain)
    assert found["output.weight"] is found["table.weight"]
    assert sharded.gathered(named, Ranks(1, 2)) == {}


def test_weights_are_replaced_by_those_of_a_file(group):
    model, other = dealt(), make(seed=1)
    given = {name: tensor for name, tensor in other.state_dict().items() if name != "output.weight"}  # once in a file
    sharded.take(model, given, ALONE)
    found = sharded.gathered(sharded.named_weights(model), ALONE)
    assert all(torch.equal(found[name], tensor) for name, tensor in other.state_dict().items())


def test_weights_are_whole_in_a_block_and_dealt_after_it(group):
    plain, model = make(), dealt()
    before = sharded.gathered(sharded.named_weights(model), ALONE)
    with torch.no_grad():
        model(IDS)  # the first call decides which module is the outermost
        with sharded.whole(model, ALONE):
            for _ in range(2):
                assert torch.equal(model(IDS), plain(IDS))
                assert not any(isinstance(weight, DTensor) for weight in model.parameters())
            assert torch.equal(model.layers[0](torch.ones(4)), plain.layers[0](torch.ones(4)))
    assert all(isinstance(weight, DTensor) for weight in model.parameters())
    assert all(torch.equal(sharded.full(weight), before[name]) for name, weight in model.named_parameters())
    for one in (plain, model):
        learn(one, torch.optim.SGD(one.parameters(), lr=0.1))
    assert torch.equal(sharded.full(model.table.weight), plain.table.weight)
    with sharded.whole(plain, ALONE):
        assert not sharded.is_dealt(plain)


def test_the_end_of_another_process_within_a_pass_is_told_as_such():
    with pytest.raises(ProcessLost, match="Another process of the run ended"), sharded.losses_told():
        raise RuntimeError("[third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:1")
    with pytest.raises(RuntimeError, match="size mismatch"), sharded.losses_told():
        raise RuntimeError("size mismatch")
