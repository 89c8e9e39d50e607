"""More layers and wider feed-forward blocks in a model that is loaded, with the outputs that it had.

All that is added is said in the config by the architecture's own fields (number and types of layers, hidden units), so
that the library loads a checkpoint of a grown model alone; ``growth`` in its notes only says what was done.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from transformers import PreTrainedModel

from ctxlab.core.architecture import installed, note_installed, num_layers, sample_inputs
from ctxlab.core.errors import UserError
from ctxlab.core.model import GROWTH
from ctxlab.core.quiet import evaluating, quiet
from ctxlab.models.loading.growing.inserted import insert
from ctxlab.models.loading.growing.widened import widen
from ctxlab.models.loading.named_rows import add_note
from ctxlab.models.loading.reduced.rebuild import how_rebuilt

SPREAD, END = "spread", "end"
"""Values of ``place``."""

TOLERANCE = 1e-4
"""Largest difference of outputs, relative to their root mean square: LayerNorms of eps 1e-5 that follow one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What is added to a model before training.

    Sources: LLaMA Pro (Wu et al. 2024, arXiv:2401.02415) for layers, which are copies of a neighbour whose projections
    back to the hidden states are zero; Net2Net (Chen et al. 2015, arXiv:1511.05641) for units. Deviations: all weights
    are trained, not the new layers alone; the new units are random and lead nowhere at first, where Net2Net copies
    units and divides their outgoing weights.
    """

    layers: int = 0
    """Layers to insert, of an encoder-decoder in its encoder."""
    ffn: float = 1.0
    """Factor of the hidden units of every feed-forward block, at least 1."""
    place: str = SPREAD
    """``spread``: one after each of ``layers`` equal groups of layers; ``end``: after the last one."""

    @classmethod
    def of(cls, given: Any) -> "Growth":
        """Read the options of ``model.growth``, a mapping as the user wrote it; None for a model as it is.

        Raises:
            UserError: A key or value is not valid.
        """
        known = {one.name: one.default for one in fields(cls)}
        if given is not None and not isinstance(given, Mapping):
            raise UserError(f"model.growth={given} does not say what grows: write model.growth.layers={given}.")
        for key, value in (given or {}).items():
            if key not in known:
                raise UserError(f"model.growth.{key} is not known: use {', '.join(known)}.")
            if isinstance(value, bool) or not isinstance(value, int | type(known[key])):
                raise UserError(f"model.growth.{key}={value} is not a value such as {known[key]}.")
        growth = cls(**(given or {}))
        if growth.layers < 0:
            raise UserError(
                f"model.growth.layers={growth.layers} must be 0 or more: compression=layers removes layers from a run."
            )
        if not 1 <= growth.ffn <= 64:
            raise UserError(
                f"model.growth.ffn={growth.ffn} must be from 1 to 64, the factor of the hidden units: compression=ffn "
                "removes units from a run."
            )
        if growth.place not in (SPREAD, END):
            raise UserError(f"model.growth.place={growth.place} is not known: use {SPREAD} or {END}.")
        return growth

    def places(self, present: int) -> list[int]:
        """Return for each new layer after how many of the ``present`` ones it comes, in order."""
        if self.place == END:
            return [present] * self.layers
        return [max(round((number + 1) * present / self.layers), 1) for number in range(self.layers)]


def grow(model: Any, growth: Growth) -> Any:
    """Grow ``model`` in place and return it; nothing happens without layers or units to add.

    Raises:
        UserError: The architecture cannot grow and keep its outputs; names it.
    """
    if growth.layers == 0 and growth.ffn == 1:
        return model
    name = type(model).__name__
    if how := how_rebuilt(model.config):
        raise UserError(
            f"model.growth does not work on a compressed model ({how}): grow the run that it was made from."
        )
    before, present, said = _outputs(model), num_layers(model), []
    if growth.layers:
        places = growth.places(present)
        insert(model, places, lambda: _change(before, _outputs(model)) <= TOLERANCE)
        said.append(f"{growth.layers} layers after layer {', '.join(map(str, places))} of {present}")
    if growth.ffn > 1:
        old, new = widen(model, growth.ffn)
        said.append(f"{new - old:,} hidden units beside the {old:,} of each feed-forward block")
    after = _outputs(model)
    if _change(before, after) > TOLERANCE:
        raise UserError(f"model.growth would change the outputs of {name} (model type `{model.config.model_type}`): "
                        "use a model such as BERT, RoBERTa, DistilBERT, ModernBERT, GPT-2, Llama or T5.")  # fmt: skip
    _check_reloads(model, after)
    earlier = installed(model.config, GROWTH)
    note_installed(
        model.config,
        GROWTH,
        {"layers": earlier.get("layers", 0) + growth.layers, "ffn": earlier.get("ffn", 1.0) * growth.ffn},
    )
    add_note(model, f"model.growth added {' and '.join(said)}, without effect at the start.")
    return model


@torch.no_grad()
def _outputs(model: Any) -> torch.Tensor:
    """Return the outputs for a few tokens."""
    with evaluating(model):
        outputs: torch.Tensor = model(**sample_inputs(model))[0]
    return outputs


def _change(before: torch.Tensor, after: torch.Tensor) -> float:
    size = before.double().square().mean().sqrt().clamp(min=1e-30)
    return float(((after - before).double().abs().max() / size).nan_to_num(nan=torch.inf))


def _check_reloads(model: Any, outputs: torch.Tensor) -> None:
    """Refuse a model that the library would not build from its config with the same weights and ``outputs``.

    Raises:
        UserError: Names the model.
    """
    with quiet(), torch.random.fork_rng(devices=[]):
        again: PreTrainedModel = type(model)._from_config(copy.deepcopy(model.config))
    shapes = [{name: one.shape for name, one in each.state_dict().items()} for each in (model, again)]
    differing = sorted(
        name for name in shapes[0].keys() | shapes[1].keys() if shapes[0].get(name) != shapes[1].get(name)
    )
    if not differing:
        again.load_state_dict(model.state_dict(), assign=True)
    if differing or _change(outputs, _outputs(again)) > TOLERANCE:
        what = differing[0] if differing else "one depends on its number"
        raise UserError(
            f"model.growth: {type(model).__name__} would not load again, as its layers differ ({what}): use a model "
            "such as BERT, RoBERTa, DistilBERT, GPT-2, Llama or T5, or model.growth.place=end."
        )
