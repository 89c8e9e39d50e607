"""What only the tiny T5 has: a decoder that generates, and no maximum length."""

import torch

from ctxlab.models.loading.tiny import vocabulary
from ctxlab.models.tiny_t5 import TinyT5


def test_classifies_with_its_encoder_at_any_length():
    model = TinyT5(hidden_size=32).build("token_classification", ["O", "B-PER", "I-PER"])
    with torch.no_grad():
        assert model(input_ids=torch.arange(5, 45).repeat(1, 20)).logits.shape == (1, 800, 3)


def test_writes_with_its_decoder():
    ids, source = vocabulary(), TinyT5(num_layers=1, vocabulary="letters")
    model = source.build("seq2seq_lm", [])
    text = source.tokenizer()("a tale of two cities", return_tensors="pt").input_ids
    written = model.generate(text, max_new_tokens=4, do_sample=False)
    assert written[0, 0] == ids["[PAD]"] == model.config.decoder_start_token_id
    assert written.shape[1] <= 5
    assert model(input_ids=text, labels=text).loss.isfinite()
