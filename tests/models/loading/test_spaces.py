"""Character offsets of byte-level tokenizers; the oracle is the text: a token decodes to the characters that it
covers."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from ctxlab.models.loading.spaces import begin_words_with_a_space
from ctxlab.tasks.text.encoding import encode_text

TEXTS = ["Tarn was the last stop.", "T", "é is a letter", "Tarn\nwas"]
SEP, CLS = ("</s>", 2), ("<s>", 0)
PROCESSORS = {
    "RoBERTa": lambda: processors.RobertaProcessing(SEP, CLS, trim_offsets=True, add_prefix_space=False),
    "bytes": lambda: processors.ByteLevel(trim_offsets=True, add_prefix_space=False),
    "sequence": lambda: processors.Sequence(
        [processors.ByteLevel(trim_offsets=True, add_prefix_space=False),
         processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])]
    ),
    "template": lambda: processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    ),
}  # fmt: skip


def tokenizer(name, *before):
    backend = Tokenizer(models.BPE())
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence([*before, level]) if before else level
    backend.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(
            vocab_size=320,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = PROCESSORS[name]()
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("before", [(), (pre_tokenizers.Digits(),)])
@pytest.mark.parametrize("text", TEXTS)
def test_the_first_letter_belongs_to_the_first_token(name, before, text):
    made = tokenizer(name, *before)
    begin_words_with_a_space(made)
    encoded = encode_text(made, text)
    assert encoded.starts[0] == 0
    # What a token decodes to, without the blank in front, is what stands at its characters.
    for token, start, end in zip(encoded.input_ids, encoded.starts, encoded.ends, strict=True):
        said = made.decode([int(token)])
        if said.strip() and "\ufffd" not in said:  # neither a blank nor a part of a character of several bytes
            assert text[start:end].strip() == said.strip()
