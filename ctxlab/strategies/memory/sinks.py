"""The first tokens of a document and its latest ones stay in the cache: any length at constant memory.

Shape legend: as in ``cache``.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Forward, ModelKind
from ctxlab.core.types import BoolArray
from ctxlab.strategies.memory.caches.base import Base
from ctxlab.strategies.memory.caches.cache import Cached, Layer, keep, probe, prove, read
from ctxlab.strategies.memory.caches.trial import PROBE_TOKENS, REFUSALS, refusal

Turn = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Keys (B, H, K, D) moved on by (B or 1, K) positions."""


class Sinks(Base):
    """The tokens in the cache take the positions that they have there, whatever was dropped between them.

    Source: StreamingLLM (Xiao et al. 2023, arXiv:2309.17453). Deviations: the steps are the windows of the reading, so
    a query sees ``window`` tokens before its own window and what of that stands before it (``decode`` takes single
    tokens, as the paper does); keys are held at position 0 and turned to their place once a step. No gradient flows
    into what is cached. Outputs equal those of full attention over the windows end to end until something is dropped.
    """

    supports: frozenset[ModelKind] = frozenset({"decoder"})
    positions = frozenset({"rotary"})

    def __init__(self, num_sinks: int = 4, window: int = 508) -> None:
        """Take the first ``num_sinks`` tokens of a document, and the ``window`` latest, that stay in the cache."""
        if num_sinks < 0:
            raise UserError(f"strategy.memory.num_sinks={num_sinks} must be 0 or more tokens; 4 is the paper's.")
        if window < 1:
            raise UserError(f"strategy.memory.window={window} must be at least 1 token that stays in the cache.")
        self.num_sinks, self.window = num_sinks, window
        self.num_cached = num_sinks + window
        self._window_read = 1
        self._turn: Turn = _unprepared

    def fit(self, window: int) -> None:
        """How many windows the cache spans."""
        self._window_read = window

    def install(self, model: Any) -> None:
        """Nothing to put into the model; see that it takes a cache, and that its keys can be turned."""
        prove(model, "sinks")
        self._turn = _find_turn(model)
        self.declare(model, name="sinks", num_sinks=self.num_sinks, window=self.window)

    def start(self, batch_size: int) -> None:
        """Nothing is cached."""
        del batch_size

    def step(self, forward: Forward, inputs: Mapping[str, Any], state: Cached | None) -> tuple[torch.Tensor, Cached]:
        """The window after the cached tokens, which count from 0."""
        mask = inputs["attention_mask"]
        begin = state.mask.sum(1) if state is not None else torch.zeros(len(mask), dtype=torch.long, device=mask.device)
        outputs, whole = read(forward, inputs, self._placed(state), begin)
        place = begin[:, None] + torch.arange(mask.shape[1], device=mask.device)
        return outputs, keep(whole, self.num_sinks, self.window, self._renewed(state, whole, place))

    def first(self, state: Cached | None, num_rows: int) -> Cached | None:
        """The cache of the first documents."""
        return state.first(num_rows) if state is not None else None

    def reach(self, num_windows: int, num_layers: int) -> BoolArray:
        """(N, N): the windows of the first tokens, and as many back as the cache spans with every layer."""
        window = np.arange(num_windows)
        back = window[:, None] - window
        latest = back <= num_layers * -(-self.window // self._window_read)
        return (back >= 0) & (latest | (window * self._window_read < self.num_sinks))

    def _placed(self, state: Cached | None) -> Cached | None:
        """The cached keys at the places that they have in the cache."""
        if state is None:
            return None
        place = torch.arange(len(state), device=state.mask.device)[None]
        return replace(state, layers=tuple((self._turn(keys, place), values) for keys, values in state.layers))

    def _renewed(self, state: Cached | None, whole: Cached, place: torch.Tensor) -> Iterator[Layer]:
        """Each layer after a window that stood at ``place`` (B, W), with all its keys at position 0."""
        for i, (keys, values) in enumerate(whole.layers):
            new = self._turn(keys[:, :, -place.shape[1] :], -place)
            yield (new if state is None else torch.cat([state.layers[i][0], new], dim=2)), values


def _unprepared(keys: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("install the memory first: it takes the rotation of keys from the model")


def _find_turn(model: Any) -> Turn:
    """The model's own rotation, proved on keys that it turned itself.

    Raises:
        UserError: The keys of a layer are turned in another way.
    """
    try:
        turn, moved = _rotation(model), torch.full((1, PROBE_TOKENS), PROBE_TOKENS, device=model.device)
        pairs = zip(probe(model).layers, probe(model, PROBE_TOKENS).layers, strict=True)
        errors = [float((turn(near, moved) - far).abs().max() / far.abs().max()) for (near, _), (far, _) in pairs]
    except (*REFUSALS, StopIteration) as error:
        raise refusal(model, "sinks", f"its rotation of keys is not found: {error}") from error
    if max(errors) > 1e-3:
        raise refusal(model, "sinks", "its keys are turned in another way than by one rotation for all layers")
    return turn


def _rotation(model: Any) -> Turn:
    """``apply_rotary_pos_emb`` beside the model's class, with the angles of its rotary module.

    Cosines and sines come multiplied by ``attention_scaling`` (YaRN), which the keys have had already.
    """
    apply = sys.modules[type(model.base_model).__module__].apply_rotary_pos_emb
    rotary = next(module for module in model.modules() if hasattr(module, "inv_freq"))

    def turn(keys: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        wide = keys.float()
        cos, sin = (part / rotary.attention_scaling for part in rotary(wide, places))
        width = cos.shape[-1]  # some models turn only the first part of a head
        turned = apply(wide[..., :width], wide[..., :width], cos, sin)[1]
        return torch.cat([turned, wide[..., width:]], dim=-1).to(keys.dtype)

    return turn
