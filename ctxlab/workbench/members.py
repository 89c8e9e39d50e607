"""Several trained runs taken together: their records, and whether they fit each other."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from safetensors import safe_open

from ctxlab.config import recorded
from ctxlab.config.build import build
from ctxlab.core.errors import UserError
from ctxlab.core.model import TUNING, ModelSource
from ctxlab.core.optim import Tuning
from ctxlab.core.task import Task
from ctxlab.models.loading.checkpointed import WEIGHTS, Checkpointed
from ctxlab.models.loading.heads import NEW
from ctxlab.training import checkpoint
from ctxlab.workbench.parts import Parts, Start, make_strategy, start_of

DOCUMENTS = ("data", "data_seed", "probe", "folds", "fold")
"""Keys that decide which documents a run was trained on, selected by and scored on."""

OWN = ("task", "model", "strategy", "context", "tuning")
"""Groups that each member of an ensemble has from its own run, unless the user gave another for all."""


@dataclass(frozen=True, eq=False)
class Member:
    """One of several trained runs."""

    start: Start
    folder: Path
    """Its checkpoint."""
    record: DictConfig
    """Configuration that it was trained with."""
    name: str
    """What messages call it."""

    def value(self, key: str) -> Any:
        """Return a key of the configuration as plain data; None where it has no such key."""
        node = self.record.get(key)
        return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node

    @property
    def init_seed(self) -> Any:
        """Return the seed of its new weights; tiny models draw all of theirs from one of their own."""
        own = (self.value("model") or {}).get("seed")
        if own is not None:
            return own
        seed = self.value("init_seed")
        return self.value("seed") if seed is None else seed


def read_members(paths: Sequence[str], pointer: str) -> list[Member]:
    """Return the runs, or checkpoints of runs, that ``paths`` name; ``pointer`` says the checkpoint of a run.

    Raises:
        UserError: One has no valid checkpoint, or no record of its configuration.
    """
    starts = [start_of(Path(path), pointer) for path in paths]
    names = [_name(start) for start in starts]
    return [
        Member(
            start,
            checkpoint.find(start.folder, start.checkpoint),
            _record(start.folder),
            name if names.count(name) == 1 else path,
        )
        for start, name, path in zip(starts, names, paths, strict=True)
    ]


def _name(start: Start) -> str:
    """Return the name of the run's directory, and the checkpoint where one was named."""
    named = start.checkpoint not in ("best", "latest")
    return f"{start.folder.name}/{start.checkpoint}" if named else start.folder.name


def _record(folder: Path) -> DictConfig:
    path = folder / ".hydra" / "config.yaml"
    try:
        return recorded.load(path)
    except ValueError as error:
        raise UserError(f"{error}: leave {folder} out of runs=, or train it again.") from error


def parts_of(parts: Parts, member: Member) -> Parts:
    """Return the parts of the command with the task, model and strategy of ``member``, where the user gave none."""
    own = [key for key in OWN if key not in parts.options.given]
    record, task = member.record, parts.task
    if "task" in own:
        task = build(record.task, Task)
    return replace(
        parts,
        start=member.start,
        task=task,
        model=build(record.model, ModelSource) if "model" in own else parts.model,
        strategy=make_strategy(record.strategy) if "strategy" in own else parts.strategy,
        tuning=build(record.tuning, Tuning) if "tuning" in own else parts.tuning,
        length=record.context.length if "context" in own else parts.length,
    )


def check_documents(parts: Parts, members: Sequence[Member]) -> None:
    """Refuse runs if documents that one is scored on may be training documents of another.

    Raises:
        UserError: They hold out documents of the same training documents by different seeds or folds.
    """
    first = members[0]
    if {"data", "data_seed"} & set(parts.options.given):
        return  # the user's own documents are scored
    for other in members[1:]:
        for key in DOCUMENTS:
            if other.value(key) != first.value(key) and (_holds_out(first) or _holds_out(other)):
                shown = "another " + key if isinstance(first.value(key), dict) else f"{key}={other.value(key)}"
                raise UserError(
                    f"{other.name} was trained with {shown} and {first.name} was not, so that documents held out of "
                    f"one may have trained the other: train both with the same {key}, or give data.validation_file= "
                    "or data.test_file= with other documents."
                )


def _holds_out(member: Member) -> bool:
    """Return whether scored documents are taken from training documents, or from one another by folds."""
    data = member.value("data") or {}
    is_generated = str(data.get("_target_", "")).endswith(".generated.Generated")
    return member.value("folds") is not None or not (is_generated or data.get("validation_file"))


def check_alike(members: Sequence[Member]) -> None:
    """Refuse runs whose weights cannot be averaged.

    Raises:
        UserError: Task, architecture, tokenizer, labels or tuning differ; names the runs and what differs.
    """
    first = members[0]
    known = _traits(first)
    for other in members[1:]:
        found = _traits(other)
        differing = next((name for name in known if known[name] != found[name]), None)
        if differing is not None:
            raise UserError(
                f"{first.name} and {other.name} have different {differing}, so that their weights have no mean: give "
                f"runs that differ in seed, order or settings of training only, or use ctxlab eval runs=[…]."
            )


def _traits(member: Member) -> Mapping[str, Any]:
    """Return what must be equal, by what a message calls it."""
    config = json.loads((member.folder / "config.json").read_text(encoding="utf-8"))
    tokenizer = member.folder / "tokenizer.json"
    return {
        "tasks": (member.value("task") or {}).get("_target_"),
        "tuning rules": member.value("tuning"),
        "architectures": config.get("architectures"),
        "tokenizers": json.loads(tokenizer.read_text(encoding="utf-8")) if tokenizer.is_file() else None,
        "labels": Checkpointed(str(member.folder)).labels(),
        "sizes of their weights": [_shapes(member.folder / name) for name in (WEIGHTS, TUNING)],
    }


def _shapes(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    with safe_open(path, framework="pt") as file:
        return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 (not a mapping)


def head_notes(members: Sequence[Member], head: str, *, merges: bool) -> list[str]:
    """Return warnings about weights whose mean means little.

    Args:
        members: The runs.
        head: Kind of head of the task.
        merges: Whether a tuning rule has factors of its own, of which the mean is taken.
    """
    seeds = sorted({str(member.init_seed) for member in members})
    notes = []
    if head in NEW and len(seeds) > 1:
        notes.append(
            f"The heads of these runs were drawn from different seeds ({', '.join(seeds)}), and the mean of unrelated "
            "heads may be no head at all: train with one init_seed= and different seed=."
        )
    if merges:
        notes.append(
            "The factors of the adapters were averaged one by one, and the mean of factors is not the mean of their "
            "products: compare with ctxlab eval runs=[…]."
        )
    return notes
