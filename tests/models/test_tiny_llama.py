"""What only the tiny Llama has: rotary positions with a base."""

import torch

from ctxlab.models.tiny_llama import TinyLlama

HEAD, LABELS = "token_classification", ["O", "B-PER", "I-PER"]


def test_the_base_of_its_rotary_positions_is_an_option():
    model = TinyLlama(hidden_size=32, num_heads=4, rope_theta=5e5).build(HEAD, LABELS)
    assert torch.allclose(model.model.rotary_emb.inv_freq, 5e5 ** (-torch.arange(4) / 4))


def test_changes_to_its_config_do_not_reach_the_next_model():
    """The parameters of rotary positions are a dictionary, which configs must not share."""
    source = TinyLlama()
    source.build(HEAD, LABELS, lambda config: config.rope_parameters.update(rope_theta=77.0))
    model = source.build(HEAD, LABELS, lambda config: setattr(config, "hidden_act", "relu"))
    assert isinstance(model.model.layers[0].mlp.act_fn, torch.nn.ReLU)
    assert model.config.rope_parameters["rope_theta"] == 10_000
