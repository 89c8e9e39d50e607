"""Which weights decay, for torch's own layers."""

import torch

from ctxlab.core.optim import ParameterGroup
from ctxlab.optim.parameters import count_parameters, parameter_groups
from ctxlab.optim.tuning.full import Full


def test_matrices_decay_and_vectors_do_not():
    model = torch.nn.Sequential(torch.nn.Embedding(5, 4), torch.nn.Linear(4, 3), torch.nn.LayerNorm(3))
    decayed, plain = parameter_groups(Full().groups(model), 0.1)
    assert [tuple(p.shape) for p in decayed["params"]] == [(5, 4), (3, 4)]
    assert [tuple(p.shape) for p in plain["params"]] == [(3,), (3,), (3,)]
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)


def test_what_is_frozen_is_in_no_group_and_counted_apart():
    model = torch.nn.Linear(4, 3)
    model.weight.requires_grad_(False)
    (only,) = parameter_groups(Full().groups(model), 0.1)
    assert [p is model.bias for p in only["params"]] == [True]
    assert (count_parameters(model), count_parameters(model, trainable=True)) == (15, 3)


def test_a_factor_on_the_learning_rate_is_that_of_both_halves_of_its_group():
    model = torch.nn.Linear(4, 3)
    groups = parameter_groups([ParameterGroup(list(model.parameters()), 4.0), ParameterGroup([])], 0.1)
    assert [group["lr_scale"] for group in groups] == [4.0, 4.0]
    (plain,) = parameter_groups([ParameterGroup([model.bias])], 0.1)
    assert plain["lr_scale"] == 1
