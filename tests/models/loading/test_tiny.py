"""The two vocabularies of tiny models: letters, enough for any English text, and bytes, for every script."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ctxlab.models.loading.tiny import make_byte_tokenizer, make_tokenizer
from ctxlab.tasks.text.encoding import encode_text
from ctxlab.text.known import unknown_id

TOKENIZER = make_tokenizer()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello", ["he", "##ll", "##o"]),
        ("a b", ["a", "b"]),
        ("R2-D2", ["r", "##2", "-", "d", "##2"]),
        ("Élan", ["el", "##an"]),
        ("“Yes,” she", ["“", "ye", "##s", ",", "”", "sh", "##e"]),
        ("東", ["[UNK]"]),
    ],
)
def test_pieces_by_hand(text, tokens):
    assert TOKENIZER.tokenize(text) == tokens


@given(st.text(st.sampled_from(string.ascii_letters + string.digits + string.punctuation), min_size=1, max_size=60))
def test_no_ascii_word_is_unknown_and_nothing_is_lost(word):
    assume(not any(special in word for special in TOKENIZER.all_special_tokens))  # read as such, as in any tokenizer
    tokens = TOKENIZER.tokenize(word)
    assert "[UNK]" not in tokens
    assert "".join(token.removeprefix("##") if len(token) > 2 else token for token in tokens) == word.lower()


def test_is_fast_with_special_tokens_and_no_limit():
    assert TOKENIZER.is_fast
    assert TOKENIZER("a").tokens() == ["[CLS]", "a", "[SEP]"]
    assert len(TOKENIZER("a " * 20_000).input_ids) == 20_002
    assert [TOKENIZER.pad_token_id, TOKENIZER.unk_token_id, TOKENIZER.cls_token_id] == [0, 1, 2]
    assert [TOKENIZER.sep_token_id, TOKENIZER.mask_token_id] == [3, 4]


def test_bytes_give_every_script_back_and_know_all_of_it():
    text, tokenizer = "Größe 北京 กิ่ हिंदी\n\n👩", make_byte_tokenizer()
    pieces = encode_text(tokenizer, text)
    assert tokenizer.decode(pieces.input_ids.tolist()) == f" {text}"
    assert len(pieces.input_ids) == len(f" {text}".encode()) - 2  # only " Gr" is merged
    assert unknown_id(tokenizer) is None
    assert tokenizer.pad_token_id == 0
    assert tokenizer("a")["input_ids"][0] == tokenizer.cls_token_id
    assert len(tokenizer) == 5 + 256 + 62 + 3 * 26**2  # special tokens, bytes, and what is merged


def test_letters_do_not_know_other_scripts():
    assert unknown_id(TOKENIZER) == TOKENIZER.unk_token_id
    assert TOKENIZER.unk_token_id in encode_text(TOKENIZER, "北京").input_ids
