"""A T5 with random weights, for tests and smoke runs: encoder and decoder with relative positions."""

from dataclasses import dataclass
from typing import Any

from transformers import T5Config

from ctxlab.models.loading.tiny import Tiny


@dataclass(kw_only=True, eq=False)
class TinyT5(Tiny):
    """An encoder-decoder with relative positions; heads that classify use its encoder alone, as the library does."""

    def config(self, **tokens: Any) -> Any:
        """Return a new config; see ``Tiny.config``. A T5 starts generation with the padding token."""
        config = T5Config(
            d_model=self.hidden_size,
            d_kv=self.hidden_size // self.num_heads,
            d_ff=4 * self.hidden_size,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            **tokens,
        )
        config.decoder_start_token_id = tokens["pad_token_id"]
        return config
