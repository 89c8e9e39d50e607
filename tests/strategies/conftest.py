"""Tiny random models of every architecture that the parts support."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers as tf

VOCABULARY = 60
COMMON: dict[str, Any] = {"num_labels": 3, "vocab_size": VOCABULARY, "pad_token_id": 0}
BERT = COMMON | {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    # Wide weights: with the usual 0.02, attention is so flat that a wrong mask would hardly show.
    "initializer_range": 0.3,
}
ROTARY = COMMON | {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.3,
}
T5 = COMMON | {
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 12,
    "relative_attention_max_distance": 40,
    "dropout_rate": 0.0,
    "classifier_dropout": 0.0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
    "initializer_factor": 1.0,
}


def config(kind: str, positions: int) -> Any:
    match kind:
        case "bert":
            return tf.BertConfig(**BERT, max_position_embeddings=positions)
        case "albert":
            return tf.AlbertConfig(**BERT, embedding_size=16, max_position_embeddings=positions)
        case "electra":
            return tf.ElectraConfig(**BERT, embedding_size=16, max_position_embeddings=positions)
        case "roberta":
            return tf.RobertaConfig(**BERT | {"pad_token_id": 1}, max_position_embeddings=positions + 2)
        case "distilbert":
            return tf.DistilBertConfig(
                **COMMON,
                dim=32,
                n_layers=2,
                n_heads=4,
                hidden_dim=48,
                max_position_embeddings=positions,
                dropout=0.0,
                attention_dropout=0.0,
                initializer_range=0.3,
            )
        case "gpt2":
            return tf.GPT2Config(
                **COMMON,
                n_embd=32,
                n_layer=2,
                n_head=4,
                n_positions=positions,
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                bos_token_id=1,
                eos_token_id=2,
                initializer_range=0.3,
            )
        case "modernbert":
            return tf.ModernBertConfig(
                **ROTARY,
                cls_token_id=1,
                sep_token_id=2,
                local_attention=24,
                global_attn_every_n_layers=2,
                max_position_embeddings=positions,
            )
        case "llama":
            return tf.LlamaConfig(**ROTARY, num_key_value_heads=2, max_position_embeddings=positions)
        case "t5":
            return tf.T5Config(**T5 | {"is_encoder_decoder": False})
        case "deberta":
            return tf.DebertaV2Config(**BERT, max_position_embeddings=positions, relative_attention=True)
    raise ValueError(kind)


@pytest.fixture
def tiny() -> Callable[..., Any]:
    """Builds a token classifier in evaluation mode: ``tiny("bert", positions=512)``."""

    def make(kind: str, positions: int = 512) -> Any:
        torch.manual_seed(0)
        return tf.AutoModelForTokenClassification.from_config(config(kind, positions)).eval()

    return make
