"""The model of tests and smoke runs: quick, the same every time, and a tokenizer that any text survives."""

import string

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ctxlab.models.tiny_bert import TinyBert

LABELS = ["O", "B-PER", "I-PER"]
TOKENIZER = TinyBert().tokenizer()


def weights(**options):
    return TinyBert(**options).build("token_classification", LABELS).state_dict()


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = weights()
    torch.manual_seed(2)
    second = weights()
    other = weights(seed=1)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


def test_the_global_seed_is_left_alone():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    weights()
    assert torch.equal(state, torch.get_rng_state())


def test_is_built_for_evaluation():
    model = TinyBert().build("token_classification", LABELS)
    TinyBert().tokenizer()
    assert not model.training


def test_sizes():
    model = TinyBert(hidden_size=32, num_layers=3, num_heads=4, trained_length=100).build(
        "token_classification", LABELS
    )
    config = model.config
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (32, 3, 4)
    assert config.max_position_embeddings == 100
    assert model.classifier.weight.shape == (3, 32)
    assert config.vocab_size == len(TOKENIZER)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello", ["he", "##ll", "##o"]),
        ("a b", ["a", "b"]),
        ("R2-D2", ["r", "##2", "-", "d", "##2"]),
        ("Élan", ["el", "##an"]),
        ("“Yes,” she", ["“", "ye", "##s", ",", "”", "sh", "##e"]),
        ("東", ["[UNK]"]),
    ],
)
def test_pieces_by_hand(text, tokens):
    assert TOKENIZER.tokenize(text) == tokens


@given(st.text(st.sampled_from(string.ascii_letters + string.digits + string.punctuation), min_size=1, max_size=60))
def test_no_ascii_word_is_unknown_and_nothing_is_lost(word):
    assume(not any(special in word for special in TOKENIZER.all_special_tokens))  # read as such, as in any tokenizer
    tokens = TOKENIZER.tokenize(word)
    assert "[UNK]" not in tokens
    assert "".join(token.removeprefix("##") if len(token) > 2 else token for token in tokens) == word.lower()


def test_is_fast_with_special_tokens_and_no_limit():
    assert TOKENIZER.is_fast
    assert TOKENIZER("a").tokens() == ["[CLS]", "a", "[SEP]"]
    assert len(TOKENIZER("a " * 20_000).input_ids) == 20_002
    assert [TOKENIZER.pad_token_id, TOKENIZER.unk_token_id, TOKENIZER.cls_token_id] == [0, 1, 2]
    assert [TOKENIZER.sep_token_id, TOKENIZER.mask_token_id] == [3, 4]
