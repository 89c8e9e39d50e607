"""Outputs of a trained head taken by the names of their labels, in whatever order the weights have them."""

import re
from collections.abc import Sequence
from typing import Any

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.model import BEGINNING_NOTES, DRAWN, NEW_HEAD, WEIGHTS_NOTES
from ctxlab.models.loading.heads import auto_class, label_fields

BY_NAME = frozenset({"token_classification", "sequence_classification"})
"""Heads whose outputs are labels."""

_UNNAMED = re.compile(r"LABEL_(\d+)")
"""The library's name for an output without a label name."""


def is_made_for(config: Any, head: str) -> bool:
    """Return whether the weights of ``config`` were saved with this ``head``, according to its ``architectures``."""
    serving = auto_class(head)._model_mapping.get(type(config), ())
    names = {one.__name__ for one in (serving if isinstance(serving, tuple | list) else (serving,))}
    return bool(names & set(getattr(config, "architectures", None) or ()))


def labels_of(config: Any) -> list[str]:
    """Return the names of a config's outputs, in order; ``LABEL_0`` and so on for outputs without a name."""
    names = getattr(config, "id2label", None) or {}
    return [str(names[index]) for index in sorted(names)]


def names_of(config: Any, head: str) -> list[str]:
    """Return the label names of the head in the weights; empty if it has no names, or is of another kind."""
    labels = labels_of(config) if head in BY_NAME and is_made_for(config, head) else []
    return [] if all(map(_UNNAMED.fullmatch, labels)) else labels


def match(own: Sequence[str], labels: Sequence[str]) -> dict[str, int]:
    """Map each of ``labels`` to the output of that name in ``own``; case matters only if names differ only in it."""
    exact = {name: index for index, name in enumerate(own)}
    folded = {name.casefold(): index for index, name in enumerate(own)}
    unique = len(folded) == len(own) and len({label.casefold() for label in labels}) == len(labels)
    numbered = {found.group(1): index for index, name in enumerate(own) if (found := _UNNAMED.fullmatch(name))}
    places = {}
    for label in labels:
        index = exact.get(label, folded.get(label.casefold()) if unique else None)
        index = numbered.get(label) if index is None else index
        if index is not None:
            places[label] = index
    return places


def take_rows(model: Any, own: Sequence[str], labels: Sequence[str], called: str) -> None:
    """Replace the outputs of ``model`` by outputs for ``labels``, each with the weights of the output of its name.

    Rows of labels without an output are initialised with torch's global seed. The change is noted in the config.

    Args:
        model: Built with an output for each of ``own``.
        own: Names of its saved outputs.
        labels: Names of the new outputs.
        called: The user's name for the model, for notes.

    Raises:
        UserError: Its output projection is not found.
    """
    old, places = output_layer(model, len(own)), match(own, labels)
    new = torch.nn.Linear(old.in_features, len(labels), bias=old.bias is not None)
    model._init_weights(new)
    with torch.no_grad():
        for row, label in enumerate(labels):
            if label in places:
                new.weight[row] = old.weight[places[label]]
                if old.bias is not None:
                    new.bias[row] = old.bias[places[label]]
    replace_output(model, old, new)
    for name, value in label_fields(labels).items():
        setattr(model.config, name, value)
    model.num_labels = len(labels)
    _note(model, own, labels=labels, places=places, called=called)


def reinitialise_output(model: Any) -> None:
    """Reinitialise the output projection, which was loaded from weights of another head; its names join ``DRAWN``."""
    old = output_layer(model, model.config.num_labels)
    new = torch.nn.Linear(old.in_features, old.out_features, bias=old.bias is not None)
    model._init_weights(new)
    replace_output(model, old, new)
    own = {id(parameter) for parameter in new.parameters()}
    drawn = {name for name, parameter in model.named_parameters() if id(parameter) in own}
    setattr(model, DRAWN, getattr(model, DRAWN, frozenset()) | drawn)


def output_layer(model: Any, num_labels: int) -> torch.nn.Linear:
    """Return the last projection to ``num_labels`` outputs outside the body; raises UserError if there is none."""
    body = {id(module) for module in model.base_model.modules()}
    for module in reversed(list(model.modules())):
        if isinstance(module, torch.nn.Linear) and id(module) not in body and module.out_features == num_labels:
            return module
    raise UserError(
        f"{type(model).__name__} has no known projection to {num_labels} labels, so that its head cannot be taken by "
        "the names of its labels: use another architecture."
    )


def replace_output(model: Any, old: torch.nn.Linear, new: torch.nn.Linear) -> None:
    """Replace ``old`` by ``new``."""
    for name, module in model.named_modules():
        if module is old:
            model.set_submodule(name, new)
            return


def _note(model: Any, own: Sequence[str], labels: Sequence[str], places: dict[str, int], called: str) -> None:
    absent = [label for label in labels if label not in places]
    if not places:
        note = f"The head of model `{called}` has other labels ({listed(own)}): a new one started at random."
    elif absent:
        note = (
            f"Of the head of model `{called}` the outputs of {len(places)} labels were taken by name; those of "
            f"{listed(absent)} started at random."
        )
    elif [places[label] for label in labels] != list(range(len(labels))):
        note = f"The head of model `{called}` was taken by the names of its labels, which it has in another order."
    else:
        return
    add_note(model, note, beginning=True)
    if absent:
        setattr(model, NEW_HEAD, True)


def add_note(model: Any, note: str, *, beginning: bool = False) -> None:
    """Add a sentence to the notes saved with ``model``; a run that starts from it drops those of its ``beginning``."""
    for field in (WEIGHTS_NOTES, *([BEGINNING_NOTES] if beginning else [])):
        setattr(model.config, field, [*getattr(model.config, field, ()), note])


def drop_beginning(config: Any) -> None:
    """Drop the notes of a saved config that say how the head of the run before began."""
    old = getattr(config, BEGINNING_NOTES, ())
    if old:
        setattr(config, WEIGHTS_NOTES, [note for note in getattr(config, WEIGHTS_NOTES, ()) if note not in old])
        setattr(config, BEGINNING_NOTES, [])


def listed(names: Sequence[str]) -> str:
    """Return at most eight of ``names`` as a text."""
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
