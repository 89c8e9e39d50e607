"""Encoders of other families, from a local folder, through the real command."""

from pathlib import Path

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

from ctxlab.cli import main
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


@pytest.mark.by_default(2)
@pytest.mark.parametrize("kind", ["roberta", "electra", "distilbert", "modernbert"])
def test_encoders_train_at_twice_their_length_with_local_attention(kind, saved, tmp_path):
    options = (f"model.path={saved(kind)}", "model=pretrained", "strategy.attention.window=16", "trainer.max_steps=2")
    assert train(tmp_path / "run", *options) == 0
    assert result(tmp_path / "run")["coverage"]["validation"]["tokens"] == 1.0


@pytest.mark.slow
def test_a_model_that_would_ignore_the_attention_is_refused_but_reads_with_its_own(saved, tmp_path, refused):
    folder = saved("deberta-v2")
    words = [word for word in SMALL if not word.startswith("model=")]
    error = refused(["train", *words, f"model.path={folder}", f"hydra.run.dir={tmp_path / 'a'}"])
    assert "deberta-v2" in error
    assert "attention=full" in error
    assert (
        train(tmp_path / "b", "model=pretrained", f"model.path={folder}", "strategy=chunk", "trainer.max_steps=1") == 0
    )
    assert result(tmp_path / "b")["model"] == Path(folder).name


@pytest.mark.slow
@pytest.mark.parametrize("model", ["tiny_t5", "tiny_gpt2"])
def test_relative_and_learned_positions_train_reload_and_score_alike(model, tmp_path):
    """T5's encoder with its relative bias, at a length that its config does not mention."""
    positions = {"tiny_t5": "keep", "tiny_gpt2": "tile"}[model]
    options = (f"model={model}", f"strategy/positions={positions}", "strategy.attention.window=16", "context=512",
               "trainer.max_steps=2", "data.words_per_document=300")  # fmt: skip
    assert train(tmp_path / "run", *options) == 0
    first = result(tmp_path / "run")
    assert first["coverage"]["validation"]["tokens"] == 1.0
    words = ["eval", f"run={tmp_path / 'run'}", "split=validation", f"hydra.run.dir={tmp_path / 'again'}"]
    assert main(words) == 0
    assert result(tmp_path / "again")["metrics"]["validation"] == first["metrics"]["validation"]


@pytest.mark.by_default(1)
@pytest.mark.parametrize("part", ["bigbird", "dilated", "strided", "lsg", "time_mask"])
def test_sparse_parts_train_a_t5(part, tmp_path):
    options = ("model=tiny_t5", "strategy=chunk", f"strategy/attention={part}", "trainer.max_steps=2")
    assert train(tmp_path / "run", *options) == 0


def test_a_t5_needs_no_extension_of_positions(refused, tmp_path):
    words = [*SMALL, "model=tiny_t5", "strategy=longformer", f"hydra.run.dir={tmp_path / 'run'}"]
    sentence = refused(["train", *(word for word in words if word != "model=tiny_bert")])
    assert "strategy/positions=keep" in sentence


@pytest.mark.slow
def test_a_sliding_window_wider_than_the_context_is_refused(tmp_path, refused):
    words = ["train", "task=ner", "model=tiny_bert", "context=64", "strategy=longformer", "tracking=none"]
    error = refused([*words, f"hydra.run.dir={tmp_path / 'run'}"])
    assert "strategy.attention.window=128 is wider than context.length=64" in error
    assert "strategy/attention=full" in error
