import cProfile
import pstats
from types import SimpleNamespace

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.tasks.text import subwords
from ctxlab.tasks.text.subwords import frame, needs_leading_space, split_words

WORDS = ["the", "town", "thetown", "The", ",", "xyz", "café", "the"]


def test_frame_is_what_the_tokenizer_adds(family):
    tokenizer, before, after = family
    assert frame(tokenizer) == (before, after)
    whole = tokenizer("the town")["input_ids"]
    bare = tokenizer("the town", add_special_tokens=False)["input_ids"]
    assert whole == [*before, *bare, *after]


def test_words_are_read_as_in_running_text(family):
    tokenizer, _, _ = family
    words = ["x", *WORDS]
    split = split_words(tokenizer, words, leading_space=needs_leading_space(tokenizer))
    running = tokenizer(" ".join(words), add_special_tokens=False)
    if isinstance(tokenizer.backend_tokenizer.normalizer, type(None)):
        assert split.input_ids[split.word_ids > 0].tolist() == running["input_ids"][-(split.word_ids > 0).sum() :]
    else:
        assert split.input_ids.tolist() == running["input_ids"]
        assert split.word_ids.tolist() == running.word_ids()
    assert split.replaced == []


def test_slicing_changes_nothing(family, monkeypatch):
    tokenizer, _, _ = family
    leading_space = needs_leading_space(tokenizer)
    whole = split_words(tokenizer, WORDS * 5, leading_space=leading_space)
    monkeypatch.setattr(subwords, "WORDS_PER_CALL", 3)
    cut = split_words(tokenizer, WORDS * 5, leading_space=leading_space)
    np.testing.assert_array_equal(whole.input_ids, cut.input_ids)
    np.testing.assert_array_equal(whole.word_ids, cut.word_ids)


@pytest.mark.parametrize("words_per_call", [2, 100])
def test_a_word_without_tokens_keeps_its_place(tokenizer, monkeypatch, words_per_call):
    monkeypatch.setattr(subwords, "WORDS_PER_CALL", words_per_call)
    words = ["\u200b", "the", "\u200b", "\u200b", "towns", "\u200b"]
    split = split_words(tokenizer, words, leading_space=False)
    assert tokenizer.convert_ids_to_tokens(split.input_ids.tolist()) == (
        ["[UNK]", "the", "[UNK]", "[UNK]", "town", "##s", "[UNK]"]
    )
    assert split.word_ids.tolist() == [0, 1, 2, 3, 4, 4, 5]
    assert split.first().tolist() == [0, 1, 2, 3, 4, 6]
    assert split.replaced == [0, 2, 3, 5]


def test_a_document_of_words_without_tokens(tokenizer):
    assert split_words(tokenizer, ["\u200b"] * 3, leading_space=False).word_ids.tolist() == [0, 1, 2]


def test_a_tokenizer_without_an_unknown_token_is_refused(nameless_tokenizer):
    with pytest.raises(UserError, match="no unknown token"):
        split_words(nameless_tokenizer, ["\u200b"], leading_space=False)


def test_work_grows_with_the_words(tokenizer):
    def calls(count):
        profile = cProfile.Profile()
        split = profile.runcall(split_words, tokenizer, ["towns"] * count, leading_space=False)
        assert len(split.word_ids) == 2 * count
        return pstats.Stats(profile).total_calls

    assert calls(8000) < 5 * calls(2000)


def test_a_slow_tokenizer_is_refused():
    with pytest.raises(UserError, match=r"not a fast tokenizer.*tokenizer\.json"):
        needs_leading_space(SimpleNamespace(is_fast=False))
