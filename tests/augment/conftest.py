"""A tokenizer for the tests of augmentations."""

import pytest

from ctxlab.models.tiny_bert import TinyBert


@pytest.fixture(scope="session")
def tokenizer():
    return TinyBert().tokenizer()
