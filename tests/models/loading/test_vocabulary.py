"""Tokens that were added to the tokenizer but not to the model; the oracle is the original model on its own ids."""

import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.model import WEIGHTS_NOTES
from ctxlab.models.loading.vocabulary import check_vocabulary, fit_vocabulary
from ctxlab.models.pretrained import Pretrained
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_gpt2 import TinyGpt2

IDS = torch.arange(5, 45)[None]


@pytest.mark.parametrize(("source", "head"), [(TinyBert, "masked_lm"), (TinyGpt2, "causal_lm")])
def test_added_tokens_get_rows_and_the_others_stay(tmp_path, source, head):
    model, tokenizer = source().build(head, []), source().tokenizer()
    rows = model.get_input_embeddings().num_embeddings
    missing = rows - (max(tokenizer.get_vocab().values()) + 1)
    tokenizer.add_tokens([f"tarnish{i}" for i in range(missing + 3)])
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    source = Pretrained(str(tmp_path))
    loaded = source.build(head, [])
    assert loaded.get_input_embeddings().num_embeddings == rows + 3
    with torch.no_grad():
        assert torch.equal(loaded(IDS).logits[..., :rows], model(IDS).logits)
        assert loaded(torch.tensor([[rows + 2]])).logits.isfinite().all()
    assert "3 tokens more than the model has embeddings" in getattr(loaded.config, WEIGHTS_NOTES)[0]
    check_vocabulary(loaded, source.tokenizer(), "x")


def test_a_tokenizer_that_fits_changes_nothing():
    model, tokenizer = TinyBert().build("masked_lm", []), TinyBert().tokenizer()
    before = model.get_input_embeddings().weight
    fit_vocabulary(model, tokenizer, "x")
    assert model.get_input_embeddings().weight is before
    assert getattr(model.config, WEIGHTS_NOTES, []) == []


def test_another_models_tokenizer_is_refused():
    model, tokenizer = TinyBert().build("masked_lm", []), TinyBert().tokenizer()
    model.resize_token_embeddings(40)
    fit_vocabulary(model, tokenizer, "x")
    assert model.get_input_embeddings().num_embeddings == 40
    with pytest.raises(UserError, match=r"embeddings for 40 tokens.*another model's"):
        check_vocabulary(model, tokenizer, "x")
