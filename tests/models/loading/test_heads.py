"""Heads of every task: which are initialised anew, which must have been saved, and what unnamed outputs leave in a
config."""

import json
import logging

import pytest
import torch
import transformers as tf
from safetensors.torch import load_file, save_file

from ctxlab.core.errors import UserError
from ctxlab.core.model import WEIGHTS_NOTES
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.models.loading.heads import HEADS, bare
from ctxlab.models.pretrained import Pretrained
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.optim.tuning.full import Full

IDS = torch.arange(5, 45)[None]
LANGUAGE = {"masked_lm": TinyBert, "causal_lm": TinyLlama}
T5 = {"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 2, "num_heads": 2}
BART = {"vocab_size": 60, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 16,
        "pad_token_id": 1, "decoder_ffn_dim": 16, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2}  # fmt: skip


def save(model, folder):
    model.save_pretrained(folder)
    TinyBert().tokenizer().save_pretrained(folder)
    return str(folder)


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("head", LANGUAGE)
def test_a_language_model_gives_its_vocabulary_and_reloads_bit_identically(head, tmp_path):
    model = LANGUAGE[head]().build(head, [])
    assert logits(model).shape == (1, 40, model.config.vocab_size)
    source = Checkpointed(save(model, tmp_path))
    assert source.labels() == []
    again = source.build(head, [])
    assert torch.equal(logits(again), logits(model))
    other = LANGUAGE[head](seed=1).build(head, [])
    source.load_weights(other, Full())  # tied weights are in the file once
    assert torch.equal(logits(other), logits(model))
    assert torch.equal(logits(Pretrained(str(tmp_path)).build(head, [])), logits(model))
    with pytest.raises(UserError, match=r"trained for the labels \(none\), not for O, X"):
        source.build("token_classification", ["O", "X"])


@pytest.mark.parametrize("source", [TinyBert, TinyLlama])
@pytest.mark.parametrize("head", ["sequence_classification", "question_answering"])
def test_heads_of_documents_and_answers(source, head, tmp_path):
    labels = ["ham", "spam", "news"] if head == "sequence_classification" else []
    model = source().build(head, labels)
    saved = Checkpointed(save(model, tmp_path))
    assert saved.labels() == labels
    with torch.no_grad():
        loaded = saved.build(head, labels)
        first, again = model(input_ids=IDS), loaded(input_ids=IDS)
    assert all(torch.equal(loaded.state_dict()[name], weight) for name, weight in model.state_dict().items())
    if labels:
        assert first.logits.shape == (1, 3)
    else:
        assert first.start_logits.shape == first.end_logits.shape == (1, 40)
    torch.testing.assert_close(first[0], again[0], rtol=0, atol=1e-6)  # where a file's weights lie changes the rounding


@pytest.mark.parametrize("labels", [["LABEL_0", "LABEL_1"], ["LABEL_1", "LABEL_0"], ["LABEL_0"]])
def test_labels_that_are_called_like_the_librarys_own(labels, tmp_path):
    Checkpointed(save(TinyBert().build("sequence_classification", labels), tmp_path)).build(
        "sequence_classification", labels
    )


def test_labels_of_another_task_do_not_stay(tmp_path):
    """Nine tags left in the config would give nine outputs instead of a start and an end."""
    tagger = TinyBert().build("token_classification", [f"T{i}" for i in range(9)])
    model = Pretrained(save(tagger, tmp_path / "tagger")).build("question_answering", [])
    with torch.no_grad():
        assert model(input_ids=IDS).start_logits.shape == (1, 40)
    assert Checkpointed(save(model, tmp_path / "answers")).labels() == []


def test_a_masked_language_model_without_its_head_gets_a_new_one_and_says_so(tmp_path, caplog):
    path = save(TinyBert().build("masked_lm", []).bert, tmp_path / "base")
    with caplog.at_level(logging.WARNING):
        model = Pretrained(path).build("masked_lm", [])
    assert "came without its masked_lm head, which started at random" in caplog.text
    (note,) = getattr(model.config, WEIGHTS_NOTES)
    assert "cls.predictions.transform.dense.weight" in note
    # Only the transform is new: words are read off the table that was loaded.
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    again = Checkpointed(save(model, tmp_path / "trained")).build("masked_lm", [])
    assert getattr(again.config, WEIGHTS_NOTES) == [note]  # kept, and not noted a second time
    with pytest.raises(UserError, match=r"lacks .* weights of BertForMaskedLM"):
        Checkpointed(path).build("masked_lm", [])


def test_missing_body_weights_are_refused_under_a_new_head_too(tmp_path):
    path = save(TinyBert().build("masked_lm", []), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["bert.encoder.layer.1.output.dense.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lacks 1 weights.*layer\.1\.output"):
        Pretrained(path).build("masked_lm", [])


def test_a_causal_language_model_without_its_head_is_refused(tmp_path):
    path = save(TinyLlama().build("causal_lm", []).model, tmp_path)
    with pytest.raises(UserError, match=r"lacks 1 weights of LlamaForCausalLM.*lm_head\.weight"):
        Pretrained(path).build("causal_lm", [])


@pytest.mark.parametrize("tied", [True, False])
def test_sequence_to_sequence(tied, tmp_path):
    config = tf.T5Config(**T5, decoder_start_token_id=0, tie_word_embeddings=tied)
    path = save(tf.T5ForConditionalGeneration(config), tmp_path)
    model = Pretrained(path).build("seq2seq_lm", [])
    with torch.no_grad():
        assert model(input_ids=IDS[:, :9], decoder_input_ids=IDS[:, :4]).logits.shape == (1, 4, 40)


def test_bart_reloads_without_new_weights(tmp_path):
    path = save(tf.BartForConditionalGeneration(tf.BartConfig(**BART, max_position_embeddings=70)), tmp_path)
    model = Pretrained(path).build("seq2seq_lm", [])
    again = Checkpointed(save(model, tmp_path / "again"))  # the three labels of the library's BART are not its own
    assert again.labels() == []
    assert again.build("seq2seq_lm", []).config.is_encoder_decoder


@pytest.mark.parametrize(
    ("head", "source"), [("seq2seq_lm", TinyLlama), ("masked_lm", TinyLlama), ("causal_lm", TinyBert)]
)
def test_an_architecture_without_the_head_is_one_sentence(head, source, tmp_path):
    path = save(source().build("token_classification", ["A"]), tmp_path)
    with pytest.raises(UserError, match=f"has no {head} head"):
        Pretrained(path).build(head, [])


@pytest.mark.parametrize("source", [TinyBert, TinyLlama])
def test_states_are_the_last_ones_and_reload_bit_identically(source, tmp_path):
    """The library's projection to labels is taken off, so that a checkpoint has no weights of it."""
    model = source().build("states", ["A", "B", "C"])
    found = logits(model)
    with torch.no_grad():
        assert torch.equal(found, model.base_model(input_ids=IDS).last_hidden_state)
    saved = Checkpointed(save(model, tmp_path))
    assert saved.labels() == ["A", "B", "C"]
    assert torch.equal(logits(saved.build("states", ["A", "B", "C"])), found)
    assert torch.equal(logits(Pretrained(str(tmp_path)).build("states", ["D"])), found)
    with pytest.raises(UserError, match="lacks"):
        saved.build("token_classification", ["A", "B", "C"])


def test_a_projection_by_another_name_is_refused():
    with pytest.raises(UserError, match="no projection called"):
        bare(torch.nn.Linear(2, 2), "states")


def test_every_head_has_a_class():
    assert all(hasattr(tf, name) for name in HEADS.values())


def test_documents_of_a_decoder_without_padding_can_be_batched(tmp_path):
    """The library looks for a row's last token by the id of the padding."""
    path = save(TinyLlama().build("causal_lm", []), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {"pad_token_id": None}
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = Pretrained(path).build("sequence_classification", ["a", "b"])
    with torch.no_grad():
        assert model(input_ids=IDS.repeat(2, 1)).logits.shape == (2, 2)


def byte_level(folder, parts):
    """A tokenizer without a padding token, with a sequence of pre-tokenizers."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {"<|end|>": 0, "Ġ": 1, "a": 2, "b": 3, "Ġa": 4, "1": 5, "2": 6}
    backend = Tokenizer(models.BPE(vocabulary, [("Ġ", "a")]))
    backend.pre_tokenizer = pre_tokenizers.Sequence([*parts, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tf.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>").save_pretrained(folder)
    tf.LlamaConfig().save_pretrained(folder)
    return Pretrained(str(folder)).tokenizer()


def test_a_tokenizer_without_padding_pads_with_the_end(tmp_path):
    from tokenizers import pre_tokenizers

    tokenizer = byte_level(tmp_path, [pre_tokenizers.Digits(individual_digits=True)])
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == 0
    assert len(tokenizer) == 7


def test_words_begin_with_a_space_that_does_not_split_numbers(tmp_path):
    from tokenizers import pre_tokenizers

    tokenizer = byte_level(tmp_path, [pre_tokenizers.Digits(individual_digits=True)])
    words = tokenizer(["a", "12", "ab"], is_split_into_words=True)
    assert words.tokens() == ["Ġa", "Ġ", "1", "2", "Ġa", "b"]
    text = tokenizer("ab  a12", return_offsets_mapping=True)
    assert text.tokens() == ["Ġa", "b", "Ġ", "Ġa", "1", "2"]
    assert text.offset_mapping == [(0, 1), (1, 2), (2, 3), (3, 5), (5, 6), (6, 7)]
    assert tokenizer(" a").tokens() == ["Ġa"]
    tokenizer.save_pretrained(tmp_path)
    again = Pretrained(str(tmp_path)).tokenizer()
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
