"""``compression=vocabulary``: texts of the training documents have the same tokens and outputs; others lose nothing."""

import json

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from ctxlab.compression.choosing.tokenizers import check_known, closed, smaller
from ctxlab.core.errors import UserError
from tests.compression.made import TEXTS, compress, logits, reloaded, tiny

NEW = "quite a different journey, 1987"


@pytest.mark.parametrize(
    ("name", "vocabulary"),
    [
        ("tiny_bert", "letters"),
        ("tiny_bert", "bytes"),
        ("tiny_gpt2", "bytes"),
        ("tiny_llama", "bytes"),
        ("tiny_t5", "letters"),
    ],
)
def test_known_texts_have_the_same_outputs(name, vocabulary, tmp_path):
    made, before = (tiny(name, vocabulary=vocabulary) for _ in range(2))
    compress(made, "vocabulary")
    again = reloaded(made, tmp_path)
    assert len(again.tokenizer) < len(before.tokenizer)
    assert len(again.tokenizer) == again.model.get_input_embeddings().num_embeddings == again.model.config.vocab_size
    for text in TEXTS:
        old, new = before.tokenizer(text), again.tokenizer(text)
        assert again.tokenizer.convert_ids_to_tokens(new["input_ids"]) == before.tokenizer.convert_ids_to_tokens(
            old["input_ids"]
        )
        assert torch.equal(
            logits(before, torch.tensor([old["input_ids"]])), logits(again, torch.tensor([new["input_ids"]]))
        )
    assert again.tokenizer.unk_token_id not in again.tokenizer(NEW)["input_ids"]
    assert again.tokenizer.pad_token_id == again.model.config.pad_token_id
    assert again.model.config.eos_token_id in (None, again.tokenizer.sep_token_id)


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_llama", "tiny_gpt2", "tiny_t5"])
def test_a_language_model_keeps_the_columns_of_its_pieces(name, tmp_path):
    head = {"tiny_bert": "masked_lm", "tiny_t5": "seq2seq_lm"}.get(name, "causal_lm")
    made, before = (tiny(name, head, ()) for _ in range(2))
    compress(made, "vocabulary")
    again = reloaded(made, tmp_path)
    old = before.tokenizer.get_vocab()
    kept = [old[piece] for piece, _ in sorted(again.tokenizer.get_vocab().items(), key=lambda pair: pair[1])]
    text = TEXTS[0]
    found = logits(again, torch.tensor([again.tokenizer(text)["input_ids"]]))
    expected = logits(before, torch.tensor([before.tokenizer(text)["input_ids"]]))[..., kept]
    assert torch.allclose(found, expected, atol=1e-6)


def test_rare_pieces_go_too():
    made, rarer = tiny("tiny_bert"), tiny("tiny_bert")
    compress(made, "vocabulary")
    compress(rarer, "vocabulary", least=3)
    assert len(rarer.tokenizer) < len(made.tokenizer)
    with pytest.raises(UserError, match=r"compression\.least=0 is too small"):
        compress(tiny("tiny_bert"), "vocabulary", least=0)


def test_a_second_time_has_nothing_to_leave_out():
    made = tiny("tiny_bert")
    compress(made, "vocabulary")
    with pytest.raises(UserError, match="has nothing to leave out"):
        compress(made, "vocabulary")


def wrapped(tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")


def unigram():
    pieces = [("<unk>", 0.0), ("</s>", 0.0), ("▁", -3.0), *((letter, -6.0) for letter in "abcdefgh"),
              ("▁ab", -2.0), ("▁abc", -2.5), ("cd", -2.2), ("efg", -2.1), ("gh", -2.0), ("▁h", -2.4)]  # fmt: skip
    made = Tokenizer(models.Unigram(pieces, unk_id=0))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return wrapped(made)


def bpe():
    vocabulary = {piece: number for number, piece in enumerate(["<unk>", "</s>", *"abcdefgh", "ab", "abc", "cd", "bc",
                                                                "efg", "ef", "gh"])}  # fmt: skip
    merges = [("b", "c"), ("a", "b"), ("a", "bc"), ("c", "d"), ("e", "f"), ("ef", "g"), ("g", "h")]
    made = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return wrapped(made)


def word_level():
    words = ["<unk>", "</s>", "abcd", "efgh", "gh", "ab"]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return wrapped(made)


@pytest.mark.parametrize("make", [unigram, bpe, word_level])
def test_kinds_of_tokenizers_divide_known_texts_as_before(make, tmp_path):
    whole = make()
    check_known(whole)
    texts = ["abcd efgh", "gh"]
    wanted = {0, 1} | {number for text in texts for number in whole(text)["input_ids"]}
    made = smaller(whole, sorted(closed(whole, wanted)))
    made.save_pretrained(tmp_path)
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert len(again) < len(whole)
    assert sorted(again.get_vocab().values()) == list(range(len(again)))
    for text in texts:
        assert again.convert_ids_to_tokens(again(text)["input_ids"]) == whole.convert_ids_to_tokens(
            whole(text)["input_ids"]
        )
    if make is bpe:
        assert json.loads(again.backend_tokenizer.to_str())["model"]["merges"] == [
            ["b", "c"], ["a", "bc"], ["e", "f"], ["ef", "g"], ["g", "h"],
        ]  # fmt: skip


def test_tokenizers_that_mark_the_ends_of_words_are_refused_by_name():
    whole = wrapped(Tokenizer(models.BPE({"<unk>": 0, "a</w>": 1, "</s>": 2}, [], end_of_word_suffix="</w>")))
    with pytest.raises(UserError, match="a tokenizer of kind BPE that marks the ends of words"):
        check_known(whole)


def test_weights_by_piece_are_refused():
    made = tiny("tiny_bert")
    rows = made.model.config.vocab_size
    made.model.ctxlab_parts = torch.nn.ModuleDict({"reading": torch.nn.Embedding(rows, 1)})
    with pytest.raises(UserError, match=r"does not know what becomes of reading\.weight"):
        compress(made, "vocabulary")
