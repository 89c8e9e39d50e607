"""The learned table of absolute positions in a model, and how to make it longer.

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
"""Trained rows (P, D) and N to rows (N, D)."""


class Learned(Positions, ABC):
    """What the parts that make a learned table longer have in common; how it is filled is theirs."""

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    extends = True
    kinds: frozenset[str] = frozenset({"learned"})
    by_batch = False

    @property
    def name(self) -> str:
        """The part's name on the command line: that of its file."""
        return option(self)

    @abstractmethod
    def fill(self, config: Any, rows: torch.Tensor, length: int) -> torch.Tensor:
        """The table (N, D) for ``length`` positions, from the trained rows (P, D) of a model with this config."""

    def configure(self, config: Any, length: int) -> None:
        """Nothing: the table is made longer when the trained one is there."""
        del config, length

    def extend(self, model: Any, length: int) -> None:
        """Make the learned tables of ``model`` hold ``length`` positions."""
        lengthen(model, length, lambda rows, wanted: self.fill(model.config, rows, wanted), self.name)

    def deviation(self, model: Any, length: int) -> float | None:
        """Of the rows, from those that the first ones give."""
        del length
        note = installed(model.config, "positions")
        if note.get("name") != self.name:
            return None
        tables = [table.module.weight.detach()[table.offset :] for table in learned_tables(model)]
        declared = [self.declared(model.config, rows, note["trained_length"]) for rows in tables]
        return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(tables, declared, strict=True))

    def declared(self, config: Any, rows: torch.Tensor, trained: int) -> torch.Tensor:
        """What all ``rows`` (N, D) of an extended table should be: trained ones are kept, and give the others."""
        return self.fill(config, rows[:trained], len(rows)).to(rows)

    def grow(self, model: Any, trained: int, length: int) -> None:
        """Nothing: the table has its last length from the start, and rows not used yet wait for their turn."""
        del model, trained, length


def lengthen(model: Any, length: int, fill: Fill, method: str) -> None:
    """Make the learned tables of ``model`` hold ``length`` positions, its buffers and config included.

    The size in the config alone tells a plain ``from_pretrained`` how to rebuild the saved model.

    Args:
        model: Changed in place, unless its positions reach ``length`` already.
        length: Tokens of a window, special tokens included.
        fill: Makes the longer table from the trained rows; rows that stand for no position are kept as they are.
        method: What the saved config says about it, under ``ctxlab.positions``.

    Raises:
        UserError: The model would have to be extended and has no learned table.
    """
    tables = learned_tables(model)
    reach = position_limit(model.config)
    if not tables and (reach is None or reach >= length):
        return  # rotary positions or relative buckets that reach as far
    if not tables:
        raise UserError(
            f"strategy/positions={method} extends a learned position table and model type `{model.config.model_type}` "
            f"has none; use context={reach} or less."
        )
    trained = min(table.length for table in tables)
    if trained >= length:
        return
    old, new = tables[0].module.num_embeddings, tables[0].offset + length
    for table in tables:
        _replace(table, fill(table.module.weight.detach()[table.offset :], length))
    _lengthen_buffers(model, old, new)
    model.config.max_position_embeddings += new - old
    note = {"name": method, "trained_length": trained, "length": length}
    note_installed(model.config, "positions", note)


def _replace(table: LearnedTable, rows: torch.Tensor) -> None:
    """Swap the weights and leave the module, so that its class and its padding index stay."""
    old = table.module.weight
    weight = torch.cat([old.detach()[: table.offset], rows.to(old)])
    table.module.weight = torch.nn.Parameter(weight, requires_grad=old.requires_grad)
    table.module.num_embeddings = len(weight)


def _lengthen_buffers(model: Any, old: int, new: int) -> None:
    """Index buffers that BERT-like models slice by position: too short, they cut the window or fail."""
    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if name in ("position_ids", "token_type_ids") and buffer.shape[-1] == old:
                index = torch.arange(new, device=buffer.device, dtype=buffer.dtype)
                setattr(module, name, (index if name == "position_ids" else index * 0).expand((1, -1)).contiguous())
