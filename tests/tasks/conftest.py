"""Small tokenizers of each family, built in memory."""

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def word_piece(unk_token="[UNK]"):
    """BERT-like: [CLS] … [SEP], lower case, control and format characters dropped."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "town", "time", "##s", *LETTERS, ".", ","]
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys([*words, *(f"##{x}" for x in LETTERS)]))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=unk_token, pad_token="[PAD]", model_max_length=16
    )


def byte_level(template, add_prefix_space):
    """RoBERTa- (``<s> $A </s>``), Llama- (``<s> $A``) or GPT-2-like (``$A``)."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("t", "o"), ("to", "w"), ("tow", "n"), ("Ġ", "town"), ("Ġ", "t")]
    vocabulary = {w: i for i, w in enumerate(["<s>", "</s>", "<unk>", *alphabet, *("".join(m) for m in merges)])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=[("<s>", 0), ("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>", pad_token="</s>")


FAMILIES = {
    "bert": (word_piece, (2,), (3,)),
    "roberta": (lambda: byte_level("<s> $A </s>", add_prefix_space=True), (0,), (1,)),
    "modernbert": (lambda: byte_level("<s> $A </s>", add_prefix_space=False), (0,), (1,)),
    "llama": (lambda: byte_level("<s> $A", add_prefix_space=False), (0,), ()),
    "gpt2": (lambda: byte_level("$A", add_prefix_space=False), (), ()),
}


@pytest.fixture(params=FAMILIES)
def family(request):
    """A tokenizer, and the special tokens that belong before and after a text."""
    make, before, after = FAMILIES[request.param]
    return make(), before, after


@pytest.fixture
def tokenizer():
    return word_piece()


@pytest.fixture
def nameless_tokenizer():
    """A tokenizer that drops some words and has no unknown token to replace them."""
    return word_piece(unk_token=None)
