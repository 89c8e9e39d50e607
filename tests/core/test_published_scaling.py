"""Models published with scaled positions; the expected lengths are products worked out by hand."""

import copy

import pytest
import transformers as tf

from ctxlab.core.architecture import describe, position_limit, published_scaling
from ctxlab.core.errors import UserError
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.strategies.positions.yarn import Yarn


def config(longest, **rope):
    parameters = {"rope_theta": 10000.0, **(rope or {"rope_type": "default"})}
    return tf.LlamaConfig(max_position_embeddings=longest, rope_parameters=parameters)


@pytest.mark.parametrize(
    ("given", "length", "kind"),
    [
        (config(1024), 1024, ""),
        (config(1024, rope_type="yarn", factor=4.0, original_max_position_embeddings=1024), 4096, "yarn"),
        (config(4096, rope_type="yarn", factor=4.0, original_max_position_embeddings=1024), 4096, "yarn"),
        (config(8192, rope_type="llama3", factor=8.0, original_max_position_embeddings=1024, low_freq_factor=1.0,
                high_freq_factor=4.0), 8192, "llama3"),
        (config(1024, rope_type="linear", factor=2.0), 1024, "linear"),
    ],
)  # fmt: skip
def test_published_lengths_by_hand(given, length, kind):
    assert (position_limit(given), published_scaling(given)) == (length, kind)


def test_facts_have_the_published_scaling_and_not_ours():
    model = TinyLlama().build("causal_lm", [])
    facts = describe(model)
    ours = copy.deepcopy(model.config)
    Yarn().configure(ours, 4 * facts.trained_length)
    assert (facts.rope_scaling, published_scaling(ours), position_limit(ours)) == ("", "", 4 * facts.trained_length)


def test_no_position_is_scaled_twice():
    given = config(1024, rope_type="yarn", factor=4.0, original_max_position_embeddings=1024)
    Yarn().configure(given, 4096)  # it reaches so far as it is
    with pytest.raises(UserError, match=r"scaled already .rope_type=yarn.: use context=4096 or less"):
        Yarn().configure(given, 8192)
