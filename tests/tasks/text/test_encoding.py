"""Plain text to tokens: splitting changes nothing, every character counts once, structure follows its rules."""

import signal
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ctxlab.core.types import HEADING, PARAGRAPH, SENTENCE
from ctxlab.models.loading.spaces import begin_words_with_a_space
from ctxlab.tasks.text import encoding as text_module
from ctxlab.tasks.text.encoding import KNOWN_SPLITS, added_characters, cuttable, encode_text
from tests.tasks.conftest import FAMILIES, byte_level, word_piece


def split_by(*parts, normalizer=None):
    tokenizer = byte_level("$A", add_prefix_space=False)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(list(parts))
    if normalizer is not None:
        tokenizer.backend_tokenizer.normalizer = normalizer
    return tokenizer


def smollm():
    tokenizer = split_by(pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False))
    begin_words_with_a_space(tokenizer)
    return tokenizer


def known(pattern):
    return lambda: split_by(
        pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)
    )


def metaspace():
    words = {"▁": 0, **{letter: i for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz", start=1)}, "<unk>": 27}
    tokenizer = Tokenizer(models.BPE(vocab=words, merges=[], unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


CUTTABLE = {
    **{name: make for name, (make, *_) in FAMILIES.items()},
    "smollm": smollm,
    "llama3": known(KNOWN_SPLITS[0]),
    "qwen": known(KNOWN_SPLITS[1]),
    "nfc": lambda: split_by(pre_tokenizers.ByteLevel(False), normalizer=normalizers.NFC()),
}
NOT_CUTTABLE = {
    "metaspace": metaspace,
    "prepends": lambda: split_by(pre_tokenizers.ByteLevel(False), normalizer=normalizers.Prepend(" ")),
    "strips": lambda: split_by(pre_tokenizers.ByteLevel(False), normalizer=normalizers.Strip()),
    "other split": known(r"\w+ \w+"),
    "nothing splits": lambda: PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE())),
}

TEXTS = st.lists(
    st.sampled_from([" ", "  ", "\n", "\n\n  ", "\t", "the", "town", "Thé", "e\u0301", "12", "3", "'s", ".", "…",
                     "中文", "🦜", "\u00a0", "\u200b", "\u2028", "x", "I", "-", '"', " a ", " the town "]),
    min_size=1, max_size=60,
).map("".join)  # fmt: skip


@pytest.mark.by_default(2)
@pytest.mark.parametrize("name", CUTTABLE)
@settings(max_examples=200, deadline=None)
@given(text=TEXTS, least=st.integers(1, 12))
def test_pieces_give_the_tokens_and_offsets_of_the_whole(name, text, least):
    tokenizer = made(name)
    assert cuttable(tokenizer)
    whole = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "PIECE_CHARACTERS", least)
        found = encode_text(tokenizer, text)
    if not whole["input_ids"]:
        assert found.input_ids.tolist() == [tokenizer.unk_token_id]
        return
    assert found.input_ids.tolist() == whole["input_ids"]
    assert found.starts.tolist() == [start for start, _ in whole["offset_mapping"]]
    assert found.ends.tolist() == np.maximum.accumulate([end for _, end in whole["offset_mapping"]]).tolist()
    assert added_characters(found.ends).sum() == found.ends[-1] <= len(text)
    assert (np.diff(found.word_ids) >= 0).all()


@cache
def made(name):
    return CUTTABLE[name]()


def test_text_is_cut_where_it_can_be():
    text = "the town " * 10_000
    pieces = list(text_module._pieces(text))
    assert len(pieces) == len(text) // text_module.PIECE_CHARACTERS + 1
    assert "".join(text[start:end] for start, end in pieces) == text


@pytest.mark.parametrize("name", NOT_CUTTABLE)
def test_texts_that_splitting_might_change_are_read_in_one_piece(name):
    assert not cuttable(NOT_CUTTABLE[name]())


def test_a_tokenizer_is_inspected_once(monkeypatch):
    looked = []
    monkeypatch.setattr(text_module, "_is_cuttable", lambda tokenizer: looked.append(tokenizer) or True)
    tokenizer = smollm()
    for text in ("one", "two", "three"):
        encode_text(tokenizer, text)
    assert looked == [tokenizer]


def test_a_text_that_looks_across_a_blank_is_right_too():
    text = "abc def " * 5000
    tokenizer = metaspace()
    assert encode_text(tokenizer, text).input_ids.tolist() == tokenizer(text, add_special_tokens=False)["input_ids"]


def test_the_space_in_front_comes_once():
    tokenizer = smollm()
    before = tokenizer.backend_tokenizer.to_str()
    begin_words_with_a_space(tokenizer)
    assert tokenizer.backend_tokenizer.to_str() == before


def test_indented_lines_keep_their_blanks():
    text = "a\n  b\n\n  c"
    assert encode_text(smollm(), text).ends[-1] == len(text)
    assert len(encode_text(smollm(), text).input_ids) == 1 + len(text)  # the blank in front, and every letter


def test_each_character_counts_for_one_token():
    found = encode_text(byte_level("$A", add_prefix_space=False), "a 🦜 b")
    assert added_characters(found.ends).tolist() == [1, 1, 1, 0, 0, 0, 1, 1]
    assert added_characters(encode_text(word_piece(), "the   town").ends).tolist() == [3, 7]


def marked(text, mark):
    """First words of the marked tokens."""
    tokenizer = byte_level("$A", add_prefix_space=False)
    found = encode_text(tokenizer, text)
    return [text[start:].split()[0] for start in found.starts[(found.marks & mark) > 0]]


NOVEL = """CHAPTER I. THE START

It was late. Mr. Holmes said: "Go!" He went; J. Watson
stayed. the end of it came. 12 men
waited.

A walk

Part 2
Once more. So it ended

THE END"""


def test_structure_of_a_novel():
    assert marked(NOVEL, HEADING) == ["CHAPTER", "A", "Part", "THE"]
    assert marked(NOVEL, PARAGRAPH) == ["It"]
    assert marked(NOVEL, SENTENCE) == ["CHAPTER", "It", "Mr.", "He", "12", "A", "Part", "Once", "So", "THE"]


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("one line alone", []),
        ("a line\n\nx y.", ["a"]),
        ("a line.\n\nx y.", []),
        (f"{'long ' * 13}\n\nx y.", []),
        ("# title\nx y.", ["#"]),
        ("1234\n\nx y.", []),
        ('"My aunt, sir!"\n\nx y.', []),
        ('"A walk"\n\nx y.', []),
    ],
)
def test_headings_by_rule(text, headings):
    assert marked(text, HEADING) == headings


@pytest.fixture
def limited():
    """At most a minute of this process's own time, whatever else the machine does."""

    def end(*_):
        raise TimeoutError("a minute of processor time")

    former = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, 60)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, former)


@pytest.mark.slow
def test_endless_full_stops_take_no_quadratic_time(limited):
    """A second in all; in quadratic time it would be hours."""
    for text in ("." * 200_000 + "x", '."' * 100_000, "。" * 200_000, " " * 200_000 + "x", "\n" * 200_000 + "x"):
        assert encode_text(word_piece(), text).ends[-1] == len(text)


def test_ends_never_decrease_where_token_offsets_go_back(monkeypatch):
    """By hand: the second token lies within the first, so that it adds no character."""

    class GoingBack:
        unk_token_id = None

        def __call__(self, texts, **_):
            return {"input_ids": [[7, 8, 9]], "offset_mapping": [[(0, 2), (0, 1), (2, 3)]]}

    monkeypatch.setattr(text_module, "cuttable", lambda _: False)
    pieces = encode_text(GoingBack(), "abc")
    assert pieces.ends.tolist() == [2, 2, 3]
    assert added_characters(pieces.ends).tolist() == [2, 0, 1]
