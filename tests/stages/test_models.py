"""Encoders of other families, from a local folder, through the real command."""

import pytest
from transformers import (
    DebertaV2Config,
    DebertaV2ForTokenClassification,
    DistilBertConfig,
    DistilBertForTokenClassification,
    ElectraConfig,
    ElectraForTokenClassification,
    ModernBertConfig,
    ModernBertForTokenClassification,
    RobertaConfig,
    RobertaForTokenClassification,
)

from ctxlab.models.tiny_bert import TinyBert
from tests.stages.conftest import SMALL, result, train

BODY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def make(kind: str, vocabulary: int):
    shared = {**BODY, "vocab_size": vocabulary, "pad_token_id": 0}
    if kind == "roberta":
        return RobertaForTokenClassification(RobertaConfig(**shared, max_position_embeddings=130, type_vocab_size=1))
    if kind == "electra":
        return ElectraForTokenClassification(ElectraConfig(**shared, embedding_size=32, max_position_embeddings=128))
    if kind == "distilbert":
        sizes = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}
        return DistilBertForTokenClassification(
            DistilBertConfig(vocab_size=vocabulary, pad_token_id=0, max_position_embeddings=128, **sizes)
        )
    if kind == "modernbert":
        tokens = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
        return ModernBertForTokenClassification(
            ModernBertConfig(**shared, **tokens, max_position_embeddings=512, local_attention=16)
        )
    return DebertaV2ForTokenClassification(DebertaV2Config(**shared, max_position_embeddings=512))


@pytest.fixture
def saved(tmp_path):
    def save(kind: str) -> str:
        tokenizer = TinyBert().tokenizer()
        folder = tmp_path / kind
        make(kind, len(tokenizer)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)

    return save


@pytest.mark.parametrize("kind", ["roberta", "electra", "distilbert", "modernbert"])
def test_encoders_train_at_twice_their_length_with_local_attention(kind, saved, tmp_path):
    options = (f"model.path={saved(kind)}", "model=pretrained", "strategy.attention.window=16", "trainer.max_steps=2")
    assert train(tmp_path / "run", *options) == 0
    assert result(tmp_path / "run")["coverage"]["validation"]["tokens"] == 1.0


def test_a_model_that_would_ignore_the_attention_is_refused_but_reads_with_its_own(saved, tmp_path, refused):
    folder = saved("deberta-v2")
    words = [word for word in SMALL if not word.startswith("model=")]
    error = refused(["train", *words, f"model.path={folder}", f"hydra.run.dir={tmp_path / 'a'}"])
    assert "deberta-v2" in error
    assert "attention=full" in error
    assert (
        train(tmp_path / "b", "model=pretrained", f"model.path={folder}", "strategy=chunk", "trainer.max_steps=1") == 0
    )
