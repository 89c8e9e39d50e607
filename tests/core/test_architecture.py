"""Facts about models with every kind of positions."""

import pytest
import transformers as tf

from ctxlab.core.architecture import describe, padding_id, rotary_types, sliding_layers

BERT = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}
ROTARY = BERT | {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 70}
T5 = {"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 3, "num_heads": 2}
CASES = {
    "bert": (tf.BertConfig(**BERT, max_position_embeddings=70), "encoder", "learned", 70),
    "roberta": (tf.RobertaConfig(**BERT, max_position_embeddings=72, pad_token_id=1), "encoder", "learned", 70),
    "electra": (tf.ElectraConfig(**BERT, max_position_embeddings=70), "encoder", "learned", 70),
    "distilbert": (
        tf.DistilBertConfig(vocab_size=40, dim=16, n_layers=3, n_heads=2, hidden_dim=16, max_position_embeddings=70),
        "encoder",
        "learned",
        70,
    ),
    "modernbert": (tf.ModernBertConfig(**ROTARY, cls_token_id=1, sep_token_id=2), "encoder", "rotary", 70),
    "deberta": (
        tf.DebertaV2Config(
            **BERT, relative_attention=True, position_buckets=8, position_biased_input=False, max_position_embeddings=70
        ),
        "encoder",
        "relative",
        None,
    ),
    "gpt2": (
        tf.GPT2Config(vocab_size=40, n_embd=16, n_layer=3, n_head=2, n_positions=70, bos_token_id=1, eos_token_id=2),
        "decoder",
        "learned",
        70,
    ),
    "llama": (tf.LlamaConfig(**ROTARY), "decoder", "rotary", 70),
    "t5": (tf.T5Config(**T5), "encoder", "relative", None),  # the library classifies with its encoder alone
}


@pytest.mark.parametrize("kind", CASES)
def test_facts(kind):
    config, model_kind, positions, length = CASES[kind]
    facts = describe(tf.AutoModelForTokenClassification.from_config(config))
    assert (facts.kind, facts.positions, facts.trained_length) == (model_kind, positions, length)
    assert (facts.num_layers, facts.hidden_size) == (3, 16)


def test_encoders_with_decoders():
    t5 = describe(tf.T5Model(tf.T5Config(**T5)))
    assert (t5.kind, t5.positions, t5.trained_length) == ("encoder_decoder", "relative", None)
    sizes = {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = tf.BartConfig(vocab_size=40, d_model=16, encoder_layers=3, decoder_layers=3, **sizes, pad_token_id=1,
                           max_position_embeddings=70)  # fmt: skip
    bart = describe(tf.BartModel(config))
    assert (bart.kind, bart.positions, bart.trained_length) == ("encoder_decoder", "learned", 70)


GPT2 = {
    "vocab_size": 40,
    "n_embd": 16,
    "n_layer": 3,
    "n_head": 2,
    "n_positions": 70,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
BART = {"vocab_size": 40, "d_model": 16, "encoder_layers": 3, "decoder_layers": 3, "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "pad_token_id": 1,
        "max_position_embeddings": 70}  # fmt: skip
LANGUAGE = {
    "llama": ("CausalLM", lambda: tf.LlamaConfig(**ROTARY), "decoder", "rotary", 70),
    "mistral": (
        "CausalLM", lambda: tf.MistralConfig(**ROTARY, num_key_value_heads=1, sliding_window=8),
        "decoder", "rotary", 70,
    ),
    "gpt2": ("CausalLM", lambda: tf.GPT2Config(**GPT2), "decoder", "learned", 70),
    "bert_decoder": (
        "CausalLM", lambda: tf.BertConfig(**BERT, max_position_embeddings=70, is_decoder=True),
        "decoder", "learned", 70,
    ),
    "bert_not_a_decoder": (
        "CausalLM", lambda: tf.BertConfig(**BERT, max_position_embeddings=70), "encoder", "learned", 70,
    ),
    "bert": ("MaskedLM", lambda: tf.BertConfig(**BERT, max_position_embeddings=70), "encoder", "learned", 70),
    "roberta": (
        "MaskedLM", lambda: tf.RobertaConfig(**BERT, max_position_embeddings=72, pad_token_id=1),
        "encoder", "learned", 70,
    ),
    "modernbert": (
        "MaskedLM", lambda: tf.ModernBertConfig(**ROTARY, cls_token_id=1, sep_token_id=2), "encoder", "rotary", 70,
    ),
    "t5": ("Seq2SeqLM", lambda: tf.T5Config(**T5), "encoder_decoder", "relative", None),
    "bart": ("Seq2SeqLM", lambda: tf.BartConfig(**BART), "encoder_decoder", "learned", 70),
}  # fmt: skip


@pytest.mark.parametrize("kind", LANGUAGE)
def test_language_models(kind):
    """A BERT that was not made a decoder sees what comes next, whatever head it has."""
    head, config, model_kind, positions, length = LANGUAGE[kind]
    facts = describe(getattr(tf, f"AutoModelFor{head}").from_config(config()))
    assert (facts.kind, facts.positions, facts.trained_length) == (model_kind, positions, length)
    assert (facts.num_layers, facts.hidden_size) == (3, 16)


def test_what_a_config_declares_of_windows_rotations_and_padding():
    """ModernBERT has a separate rotary base for its sliding-window layers; Mistral has sliding windows in all layers or
    none."""
    modern = tf.ModernBertConfig(**ROTARY, cls_token_id=1, sep_token_id=2, global_attn_every_n_layers=3)
    mistral = tf.MistralConfig(**ROTARY, num_key_value_heads=1, sliding_window=8)
    yarn = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}
    llama = tf.LlamaConfig(**ROTARY, rope_parameters=yarn)
    cases = [
        (modern, tf.ModernBertModel, [False, True, True], ["default", "default"]),
        (mistral, tf.MistralModel, [True] * 3, ["default"]),
        (llama, tf.LlamaModel, [False] * 3, ["yarn"]),
        (tf.BertConfig(**BERT), tf.BertModel, [False] * 3, ["default"]),
    ]
    for config, cls, slides, types in cases:
        model = cls(config)
        assert (sliding_layers(model), rotary_types(config), padding_id(model)) == (slides, types, 0)
