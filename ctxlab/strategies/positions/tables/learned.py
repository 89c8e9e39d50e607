"""Extends the learned table of absolute positions in a model.

Shape legend: P trained positions, N positions wanted, D hidden size.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch

from ctxlab.core.architecture import LearnedTable, installed, learned_tables, note_installed, position_limit
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import ModelKind, Positions

Fill = Callable[[torch.Tensor, int], torch.Tensor]
"""Maps trained rows (P, D) and N to rows (N, D)."""


class Learned(Positions, ABC):
    """The base class of parts that extend a learned table; a subclass defines how new rows are filled."""

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    extends = True
    kinds: frozenset[str] = frozenset({"learned"})
    by_batch = False

    @property
    def name(self) -> str:
        """Return the part's name on the command line, that of its file."""
        return option(self)

    @abstractmethod
    def fill(self, config: Any, rows: torch.Tensor, length: int) -> torch.Tensor:
        """Return the table (N, D) for ``length`` positions, from trained rows (P, D) of a model with this config."""

    def configure(self, config: Any, length: int) -> None:
        """Do nothing: the table is extended once the trained weights are loaded."""
        del config, length

    def extend(self, model: Any, length: int) -> None:
        """Extend the learned tables of ``model`` to ``length`` positions."""
        lengthen(model, length, lambda rows, wanted: self.fill(model.config, rows, wanted), self.name)

    def deviation(self, model: Any, length: int) -> float | None:
        """Return the largest difference of rows from those computed from the trained rows."""
        del length
        note = installed(model.config, "positions")
        if note.get("name") != self.name:
            return None
        tables = [table.module.weight.detach()[table.offset :] for table in learned_tables(model)]
        declared = [self.declared(model.config, rows, extended_from(model.config) or len(rows)) for rows in tables]
        return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(tables, declared, strict=True))

    def declared(self, config: Any, rows: torch.Tensor, trained: int) -> torch.Tensor:
        """Return what ``rows`` (N, D) of an extended table should be, computed from its first, ``trained`` rows."""
        return self.fill(config, rows[:trained], len(rows)).to(rows)

    def grow(self, model: Any, trained: int, length: int) -> None:
        """Do nothing: the table has its final length from the start; shorter windows do not use the last rows."""
        del model, trained, length


def lengthen(model: Any, length: int, fill: Fill, method: str) -> None:
    """Extend the learned tables of ``model`` to ``length`` positions, with its buffers and config.

    A plain ``from_pretrained`` rebuilds the saved model from the size in the config.

    Args:
        model: Changed in place, unless its positions cover ``length`` already.
        length: Tokens of a window, special tokens included.
        fill: Computes the longer table from the trained rows; rows that represent no position are kept unchanged.
        method: Name that is recorded in the config, under ``ctxlab.positions``.

    Raises:
        UserError: The model needs an extension but has no learned table.
    """
    tables = learned_tables(model)
    reach = position_limit(model.config)
    if not tables and (reach is None or reach >= length):
        return  # rotary positions or relative buckets that cover the length
    if not tables:
        raise UserError(
            f"strategy/positions={method} extends a learned position table, but model type `{model.config.model_type}` "
            f"has none: use context={reach} or less."
        )
    trained = min(table.length for table in tables)
    if trained >= length:
        return
    first = installed(model.config, "positions").get("trained_length", trained)  # a checkpoint may be extended again
    old, new = tables[0].module.num_embeddings, tables[0].offset + length
    for table in tables:
        _replace(table, fill(table.module.weight.detach()[table.offset :], length))
    _lengthen_buffers(model, old, new)
    model.config.max_position_embeddings += new - old
    note = {"name": method, "trained_length": first, "extended_from": trained, "length": length}
    note_installed(model.config, "positions", note)


def extended_from(config: Any) -> int | None:
    """Return the rows that the last extension of a learned table began with; None where there was none.

    They are more than the model was first trained for where a checkpoint has been extended again.
    """
    note = installed(config, "positions")
    found = note.get("extended_from", note.get("trained_length"))
    return None if found is None else int(found)


def _replace(table: LearnedTable, rows: torch.Tensor) -> None:
    """Replace the weights but not the module, so that its class and padding index are kept."""
    old = table.module.weight
    weight = torch.cat([old.detach()[: table.offset], rows.to(old)])
    table.module.weight = torch.nn.Parameter(weight, requires_grad=old.requires_grad)
    table.module.num_embeddings = len(weight)


def _lengthen_buffers(model: Any, old: int, new: int) -> None:
    """Lengthen index buffers that BERT-like models slice by position: shorter ones truncate the window or fail."""
    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if name in ("position_ids", "token_type_ids") and buffer.shape[-1] == old:
                index = torch.arange(new, device=buffer.device, dtype=buffer.dtype)
                setattr(module, name, (index if name == "position_ids" else index * 0).expand((1, -1)).contiguous())
