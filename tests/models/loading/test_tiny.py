"""The two vocabularies of tiny models."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_gpt2 import TinyGpt2
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.models.tiny_t5 import TinyT5
from ctxlab.tasks.text.encoding import encode_text
from ctxlab.text.known import unknown_id

TEXT = "Größe 北京 กิ่ हिंदी\n\n👩"


def test_bytes_give_every_script_back_and_know_all_of_it():
    tokenizer = TinyBert(vocabulary="bytes").tokenizer()
    pieces = encode_text(tokenizer, TEXT)
    assert tokenizer.decode(pieces.input_ids.tolist()) == TEXT
    assert len(pieces.input_ids) == len(TEXT.encode())
    assert unknown_id(tokenizer) is None
    assert tokenizer.pad_token_id == 0
    assert tokenizer("a")["input_ids"][0] == tokenizer.cls_token_id


def test_letters_do_not_know_other_scripts():
    tokenizer = TinyBert().tokenizer()
    assert unknown_id(tokenizer) == tokenizer.unk_token_id
    assert tokenizer.unk_token_id in encode_text(tokenizer, "北京").input_ids


@pytest.mark.parametrize(
    ("model", "head"),
    [(TinyBert, "masked_lm"), (TinyLlama, "causal_lm"), (TinyGpt2, "causal_lm"), (TinyT5, "seq2seq_lm")],
)
def test_models_have_a_row_for_every_token(model, head):
    source = model(vocabulary="bytes")
    assert source.build(head, []).get_input_embeddings().num_embeddings == len(source.tokenizer()) == 5 + 256


def test_other_vocabularies_are_refused():
    with pytest.raises(UserError, match=r"model.vocabulary=words is not one of letters, bytes"):
        TinyLlama(vocabulary="words")
