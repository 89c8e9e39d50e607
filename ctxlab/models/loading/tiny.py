"""Base of the tiny random models: one tokenizer, and weights that depend only on a seed."""

import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import BertTokenizer, PreTrainedTokenizerFast

from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.model import ModelSource
from ctxlab.core.numbers import Numbers
from ctxlab.core.quiet import quiet
from ctxlab.models.loading.dropout import check_dropout, set_attention_dropout, set_dropout
from ctxlab.models.loading.growing.growth import Growth, grow
from ctxlab.models.loading.heads import auto_class, bare, check_head, kind_of, label_fields
from ctxlab.models.loading.weights import NO_LIMIT, Configure

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MORE_PUNCTUATION = "“”‘’«»–—…•°€£§"


@dataclass(kw_only=True, eq=False)
class Tiny(ModelSource, ABC):
    """A model with random weights that depend on ``seed`` and not on torch's global seed.

    A subclass creates the config of its architecture from these sizes, and may add options of its own.
    """

    hidden_size: int = 64
    """Width of the hidden states."""
    num_layers: int = 2
    """Transformer layers; of encoder and decoder each, where there are both."""
    num_heads: int = 2
    """Attention heads of a layer; divides ``hidden_size``."""
    seed: int = 0
    """Seed of the random weights."""
    dropout: float | None = None
    """Rate on hidden states, 0 to 1; None means 0.1."""
    attention_dropout: float = 0.0
    """Rate on attention probabilities, 0 to 1; above 0 long windows are over 20 times slower on a CPU."""
    name: str = ""
    """Name in results; that of the option where it is empty."""
    growth: Mapping[str, Any] | None = None
    """Layers and hidden units that are added, see ``growing.growth.Growth``; None for none."""
    numbers: Mapping[str, Any] | None = None
    """Numbers of tokens that it takes, see ``core.numbers.Numbers``; None for none."""
    vocabulary: str = "bytes"
    """``letters`` (pieces of English words) or ``bytes`` (one token per byte, any script)."""

    def __post_init__(self) -> None:
        """Choose the name; raises UserError where there is no such vocabulary."""
        if self.vocabulary not in VOCABULARIES:
            raise UserError(f"model.vocabulary={self.vocabulary} is not one of {', '.join(VOCABULARIES)}.")
        self.name = self.name or option(self)
        Growth.of(self.growth)
        Numbers.of(self.numbers)

    @abstractmethod
    def config(self, **tokens: Any) -> Any:
        """Create a config, given the size of the vocabulary and the ids of its special tokens."""

    def kind(self) -> str:
        """Return the kind of ``config``."""
        return kind_of(self._config())

    def tokenizer(self) -> Any:
        """Return the tokenizer of all tiny models: bytes of any script, or WordPiece of English letters."""
        return VOCABULARIES[self.vocabulary]()

    def build(self, head: str, labels: Sequence[str], configure: Configure | None = None) -> Any:
        """Build the model with a head for ``labels``, in fp32 and evaluation mode; see ``Pretrained.build``."""
        config = self._config()
        config.update(label_names(labels))
        set_dropout(config, self.dropout, self.attention_dropout)
        if configure is not None:
            configure(config)
        model = draw(config, head, self.seed)
        set_attention_dropout(model, self.attention_dropout)
        check_dropout(model, self.dropout)
        return grow(model, Growth.of(self.growth))

    def _config(self) -> Any:
        ids = self.tokenizer().get_vocab()
        tokens = {"pad_token_id": ids["[PAD]"], "bos_token_id": ids["[CLS]"], "eos_token_id": ids["[SEP]"]}
        return self.config(vocab_size=len(ids), **tokens)


def make_tokenizer() -> Any:
    """Build a lower-casing WordPiece tokenizer over letters, pairs of letters, digits and punctuation."""
    return BertTokenizer(vocab=vocabulary(), do_lower_case=True, model_max_length=NO_LIMIT)


def make_byte_tokenizer() -> Any:
    """Build a byte-level BPE tokenizer: nothing is unknown in any script, and a Chinese character is three tokens.

    Pairs of lower-case letters are merged, at the start of a word with the blank before it, so that English text has
    about half as many tokens as bytes. Texts begin with a blank, as with every byte-level tokenizer that is loaded.
    """
    bytes_, merges = sorted(pre_tokenizers.ByteLevel.alphabet()), byte_merges()
    symbols = [*SPECIAL, *bytes_, *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(models.BPE(vocab={symbol: index for index, symbol in enumerate(symbols)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    ends = [(name, symbols.index(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=NO_LIMIT, **dict(names))


def byte_merges() -> list[tuple[str, str]]:
    """Return the merges of bytes: a blank with a letter or digit, these with a second letter, and pairs of letters."""
    blank = "Ġ"  # the symbol of the blank's byte
    starts = [(blank, letter) for letter in string.ascii_letters + string.digits]
    pairs = list(product(string.ascii_lowercase, string.ascii_lowercase))
    words = product(string.ascii_letters, string.ascii_lowercase)
    return [*starts, *((blank + first, second) for first, second in words), *pairs]


VOCABULARIES: dict[str, Callable[[], Any]] = {"bytes": make_byte_tokenizer, "letters": make_tokenizer}
"""Values of ``model.vocabulary``."""


def vocabulary() -> dict[str, int]:
    """Return the vocabulary; its single characters cover any word of letters and digits."""
    pairs = ["".join(pair) for pair in product(string.ascii_lowercase, repeat=2)]
    pieces = [*string.ascii_lowercase, *string.digits, *pairs]
    tokens = [*SPECIAL, *string.punctuation, *MORE_PUNCTUATION, *pieces, *(f"##{piece}" for piece in pieces)]
    return {token: index for index, token in enumerate(tokens)}


def label_names(labels: Sequence[str]) -> dict[str, Any]:
    """Return ``labels`` as fields of a config."""
    return label_fields(labels)


def draw(config: Any, head: str, seed: int) -> Any:
    """Build the model of ``config`` with ``head``, in fp32 and evaluation mode; torch's global seed is unchanged."""
    check_head(config, head)
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        return bare(auto_class(head).from_config(config, dtype=torch.float32), head).eval()
