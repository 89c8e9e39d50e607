"""Rotary positions: scaled in the config before the model is built, and checked in the built model.

The library reads the rotary parameters of a config only when it builds the layers, so later changes have no effect.
Each part therefore declares a closed formula of its own, and ``extend`` compares the built layers with it.

Shape legend: D rotary width of a head, F = D / 2 frequencies.
"""

import copy
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from ctxlab.core.architecture import installed, note_installed, position_limit, text_config
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import ModelKind, Positions

logger = logging.getLogger(__name__)

LOCAL = ("sliding_attention", "chunked_attention")
"""Layer types whose attention is limited to a trained span at any context; their positions are not scaled."""


@dataclass(frozen=True, slots=True)
class Rope:
    """Rotary positions of one type of layer as trained, and the factor by which they are to be scaled."""

    theta: float
    dim: int
    """Rotary width of a head (D)."""
    trained: int
    """Tokens that the positions were trained for."""
    factor: float

    def inv_freq(self) -> torch.Tensor:
        """Return (F,): radians per token as trained, float64."""
        return self.theta ** (-torch.arange(0, self.dim, 2, dtype=torch.float64) / self.dim)

    def spread(self) -> torch.Tensor:
        """Return (F,): exponents 2i / (D - 2), from 0 for the fastest frequency to 1 for the slowest, float64."""
        return torch.arange(0, self.dim, 2, dtype=torch.float64) / (self.dim - 2)


@dataclass(frozen=True, slots=True, eq=False)
class Angles:
    """Rotary frequencies and the scaling of attention."""

    inv_freq: torch.Tensor
    """(F,) radians per token, float64."""
    scaling: float = 1.0
    """Factor of cosines and sines."""


class Rotary(Positions, ABC):
    """The base class of parts that scale rotary positions; a subclass defines the formula."""

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    extends = True
    kinds: frozenset[str] = frozenset({"rotary"})
    by_batch = False
    grows = True
    """Whether a curriculum may set a smaller factor for a while; False where the library adapts to the length."""
    enlarges = True
    """Whether ``max_position_embeddings`` is raised; False where the library reads the trained length from it."""

    def __init__(self, factor: float | None = None) -> None:
        """Take the scaling ``factor``, at least 1; None for the window length divided by the trained length."""
        if factor is not None and not 1 <= factor < math.inf:
            raise UserError(
                f"strategy.positions.factor={factor} is not a finite number of at least 1: "
                "give 1 or more, or null to derive it from the context."
            )
        self.factor = factor

    @property
    def name(self) -> str:
        """Return the part's name on the command line, that of its file."""
        return option(self)

    @abstractmethod
    def parameters(self, rope: Rope) -> dict[str, Any]:
        """Return the changes to ``rope_parameters`` of the config."""

    @abstractmethod
    def angles(self, rope: Rope, length: int) -> Angles:
        """Return the declared angles for a window of ``length`` tokens, computed without the library's code."""

    def configure(self, config: Any, length: int) -> None:
        """Scale the rotary positions of ``config`` to windows of ``length`` tokens, before a model is built from it.

        Nothing changes where the length fits or the positions are of another kind (the stage refuses these).
        A config that was scaled before is scaled again from its trained parameters.

        Raises:
            UserError: The factor is too small for the length, or the model was published with scaled positions.
        """
        text = text_config(config)
        if not getattr(text, "rope_parameters", None):
            return
        note = installed(text, "positions")
        if length <= (position_limit(text) or 0):
            if self.factor not in (None, note.get("factor")):
                logger.warning("strategy.positions.factor=%g is not used: %d tokens fit already.", self.factor, length)
            return
        original = copy.deepcopy(note.get("rope_parameters", text.rope_parameters))
        trained = int(note.get("trained_length") or position_limit(text) or 0)
        factor = self._choose(trained, length, note)
        new = {"name": self.name, "factor": factor, "trained_length": trained,
               "length": max(length, int(trained * factor)), "rope_parameters": original}  # fmt: skip
        text.rope_parameters = self._scaled(text, new)
        text.max_position_embeddings = new["length"] if self.enlarges else trained
        note_installed(text, "positions", new)

    def extend(self, model: Any, length: int) -> None:
        """Check that the layers of ``model`` use the declared angles for windows of ``length`` tokens.

        Raises:
            UserError: They do not, for example because the config was changed after the model was built.
        """
        text = text_config(model.config)
        note = installed(text, "positions")
        if note.get("name") != self.name:
            self._refuse_unprepared(text, length)
            return
        for layer_type, rope in _ropes(text, note).items():
            for window in (rope.trained, length):  # some formulae do not change short windows
                self._check_active(model, layer_type, rope, window)

    @torch.no_grad()
    def grow(self, model: Any, trained: int, length: int) -> None:
        """Scale positions by the factor that ``length`` needs; at the final length, by the factor of the config."""
        del trained
        text = text_config(model.config)
        note = installed(text, "positions")
        if note.get("name") != self.name or not self.grows:
            return
        for layer_type, rope in _ropes(text, note).items():
            factor = min(max(length / rope.trained, 1.0), rope.factor)
            for module in _modules(model, layer_type):
                _use_angles(
                    module, prefix(layer_type), None if factor == rope.factor else self._angles_at(rope, factor)
                )

    def deviation(self, model: Any, length: int) -> float | None:
        """Return the largest difference of the layers' angles, at the trained length and at ``length``.

        Infinite where no positions are scaled although ``length`` needs it.
        """
        text = text_config(model.config)
        note = installed(text, "positions")
        if note.get("name") != self.name:
            return None if length <= (position_limit(text) or 0) else math.inf
        differences = [
            _difference(_measure(module, layer_type, window), self.angles(rope, window))
            for layer_type, rope in _ropes(text, note).items()
            for window in (rope.trained, length)
            for module in _modules(model, layer_type)
        ]
        return max(differences, default=math.inf)

    def _angles_at(self, rope: Rope, factor: float) -> Angles:
        """Return the angles for a smaller factor than the config's."""
        return self.angles(replace(rope, factor=factor), math.ceil(rope.trained * factor))

    def attach(self, module: Any, layer_type: str) -> None:
        """Add what a formula needs besides its config to a rotary module; most formulae need nothing."""
        del module, layer_type

    def _choose(self, trained: int, length: int, note: Mapping[str, Any]) -> float:
        """Return the factor to use; ``note`` is what a part recorded in the config before, if any."""
        del note
        needed = length / trained
        if self.factor is not None and self.factor < needed:
            raise UserError(
                f"strategy.positions.factor={self.factor:g} reaches {int(trained * self.factor):,} tokens, but the "
                f"context has windows of {length:,}: use {math.ceil(needed * 100) / 100:g} or more, or null."
            )
        return needed if self.factor is None else self.factor

    def _scaled(self, text: Any, note: Mapping[str, Any]) -> dict[str, Any]:
        """Return the trained rotary parameters with the changes of this part, with the nesting unchanged."""
        layers: dict[str, Any] = _layers(note["rope_parameters"])
        for layer_type, rope in _ropes(text, note).items():
            layers[layer_type] = {**layers[layer_type], **self.parameters(rope)}
        shared: dict[str, Any] | None = layers.get("")
        return layers if shared is None else shared

    def _refuse_unprepared(self, text: Any, length: int) -> None:
        if length <= (position_limit(text) or 0):
            return
        if getattr(text, "rope_parameters", None):
            raise UserError(
                f"strategy/positions={self.name} has no effect on a model that is built already: call configure on "
                f"its config before building it, or use context={position_limit(text)} or less."
            )
        raise UserError(
            f"strategy/positions={self.name} scales rotary positions, but model type `{text.model_type}` has none: "
            "use strategy/positions=tile for a learned table, or keep for relative positions."
        )

    def _check_active(self, model: Any, layer_type: str, rope: Rope, length: int) -> None:
        modules = _modules(model, layer_type)
        declared = self.angles(rope, length)
        for module in modules:
            self.attach(module, layer_type)
            if not _agree(_measure(module, layer_type, length), declared):
                break
        else:
            if modules:
                return
        raise UserError(
            f"strategy/positions={self.name} is not active in this {model.config.model_type}: at {length} tokens its "
            "layers do not use the declared rotary frequencies; build the model from a config that was configured "
            "before, or use another of strategy/positions=linear, ntk, dynamic_ntk, yarn, longrope."
        )


def follows_length(config: Any, length: int) -> bool:
    """Return whether a model as published has rotary angles that depend on the length of windows up to ``length``."""
    text = text_config(config)
    for parameters in _layers(getattr(text, "rope_parameters", None) or {}).values():
        if isinstance(parameters, Mapping) and parameters.get("rope_type") in ("dynamic", "longrope"):
            return length > int(parameters.get("original_max_position_embeddings") or text.max_position_embeddings)
    return False


def prefix(layer_type: str) -> str:
    """Return the prefix of the attributes of a rotary module that serves several types of layer."""
    return f"{layer_type}_" if layer_type else ""


def _modules(model: Any, layer_type: str) -> list[Any]:
    """Return the rotary modules that serve a type of layer."""
    return [module for module in model.modules() if hasattr(module, f"{prefix(layer_type)}inv_freq")]


def _use_angles(module: Any, before: str, angles: Angles | None) -> None:
    """Make a rotary module use ``angles``; None restores those that it was built with."""
    built = module.__dict__.setdefault(f"{before}ctxlab_built", {})
    if not built:
        inv_freq = getattr(module, f"{before}inv_freq")
        built.update(inv_freq=inv_freq.clone(), attention_scaling=getattr(module, f"{before}attention_scaling"))
    inv_freq = built["inv_freq"] if angles is None else angles.inv_freq.to(built["inv_freq"])
    setattr(module, f"{before}inv_freq", inv_freq.to(getattr(module, f"{before}inv_freq").device))
    scaling = built["attention_scaling"] if angles is None else angles.scaling
    setattr(module, f"{before}attention_scaling", scaling)


def _layers(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rotary parameters by type of layer; under the empty name where all layers share them."""
    nested = any(isinstance(value, Mapping) for value in parameters.values())
    return dict(parameters) if nested else {"": dict(parameters)}


def _ropes(text: Any, note: Mapping[str, Any]) -> dict[str, Rope]:
    """Return the rotary positions as trained, for every type of layer that attends past the trained length."""
    ropes = {}
    head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    for layer_type, parameters in _layers(note["rope_parameters"]).items():
        if layer_type in LOCAL or not isinstance(parameters, Mapping):
            continue
        if parameters.get("rope_type", "default") != "default":
            raise UserError(
                f"the rotary positions of this {text.model_type} are scaled already "
                f"(rope_type={parameters['rope_type']}): use context={note['trained_length']} or less."
            )
        dim = int(head_dim * parameters.get("partial_rotary_factor", 1.0))
        ropes[layer_type] = Rope(float(parameters["rope_theta"]), dim, note["trained_length"], note["factor"])
    return ropes


@torch.no_grad()
def _measure(module: Any, layer_type: str, length: int) -> Angles:
    """Return what a rotary module uses for a window of ``length`` tokens; it is called, as some adapt to the length."""
    name = f"{prefix(layer_type)}inv_freq"
    device = getattr(module, name).device
    places = torch.tensor([[0, length - 1]], device=device)
    module(torch.zeros(1, 2, 1, device=device), places, *([layer_type] if layer_type else []))
    scaling = float(getattr(module, f"{prefix(layer_type)}attention_scaling"))
    return Angles(getattr(module, name).detach().double().cpu(), scaling)


def _difference(used: Angles, declared: Angles) -> float:
    """Return the largest difference of any frequency or of the scaling, relative to the declared value."""
    if used.inv_freq.shape != declared.inv_freq.shape:
        return math.inf
    frequencies = float(((used.inv_freq - declared.inv_freq).abs() / declared.inv_freq).max())
    return max(frequencies, abs(used.scaling - declared.scaling) / declared.scaling)


def _agree(used: Angles, declared: Angles) -> bool:
    """Return whether both are equal up to the library's fp32 rounding, which YaRN's ramp amplifies with the factor."""
    return (
        used.inv_freq.shape == declared.inv_freq.shape
        and torch.allclose(used.inv_freq, declared.inv_freq, rtol=1e-4, atol=0)
        and math.isclose(used.scaling, declared.scaling, rel_tol=1e-6)
    )
