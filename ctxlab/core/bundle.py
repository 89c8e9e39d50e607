"""The folder that ``ctxlab export`` writes: a model, and everything that is needed to read documents with it.

It holds the model in one file, tokenizer and config as in a checkpoint, ``settings.json`` (the run's task, strategy and
context), ``bundle.json`` (facts about the model), ``parity.json`` (how it compares with the run), ``reference.json``
(what is usual, in numbers), and checksums.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.files import write_json
from ctxlab.core.folders import MANIFEST, fault
from ctxlab.core.model import ModelFacts

VERSION = 1
"""Version of the folders that are written; others are refused."""

FILE = "bundle.json"
SETTINGS = "settings.json"
PARITY = "parity.json"
REFERENCE = "reference.json"
"""What is usual for ``ctxlab monitor``; only where the run had enough held-out documents."""

FOLDER = "bundle"
"""Name of the folder in the directory of the command that wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Content of ``bundle.json``."""

    version: int
    ctxlab: str
    """Version of the program that wrote it."""
    format: str
    """Option of ``export=``."""
    runtime: str
    """Option of ``runtime=`` that computes with it."""
    file: str
    """Name of the model's file."""
    int8: bool
    task: str
    longest_window: int
    """Tokens of the longest window that the model takes."""
    context_length: int
    run: str
    """Name of the run directory."""
    checkpoint: str
    weights_sha256: str
    """Of the weights in the run's checkpoint."""
    num_parameters: int
    facts: ModelFacts
    """Of the model before the strategy changed it."""
    details: dict[str, Any] = field(default_factory=dict)
    """Of the format, such as the version of its operators."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Content of ``settings.json``: how the run was composed, without its files and without what only trains."""

    overrides: list[str]
    choices: dict[str, Any]
    """Group → option."""
    config: dict[str, Any]
    """Task, strategy, context and knowledge as composed."""
    own_documents: bool
    """Whether the run's documents were generated, so that they are there wherever the bundle is."""


def here(folder: Path) -> Path | None:
    """Return the bundle that a path names, itself or in the directory of its command; None if it names none."""
    return next((place for place in (folder, folder / FOLDER) if (place / FILE).is_file()), None)


def write(folder: Path, bundle: Bundle, settings: Settings) -> None:
    """Write both files."""
    write_json(folder / FILE, asdict(bundle))
    write_json(folder / SETTINGS, asdict(settings))


def read(folder: Path) -> Bundle:
    """Return the facts of a bundle, all files of which are unchanged.

    Raises:
        UserError: A file is missing or damaged, or another version of ctxlab wrote it; names it.
    """
    found = _version(folder)
    if found is not None and found != VERSION:
        raise UserError(
            f"{folder} is a bundle of version {found}, and ctxlab {version('ctxlab')} reads version {VERSION}: export "
            "the run again."
        )
    if problem := fault(folder):
        raise UserError(f"{folder} is not a whole bundle ({problem}): copy it again, or export the run again.")
    listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if missing := [name for name in (FILE, SETTINGS, PARITY) if name not in listed]:
        raise UserError(f"{folder} is not a whole bundle (its manifest lacks {missing[0]}): export the run again.")
    content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    content["facts"] = ModelFacts(**content["facts"])
    return Bundle(**{one.name: content[one.name] for one in fields(Bundle)})


def read_settings(folder: Path) -> Settings:
    """Return the settings of a bundle, after checking it; raises UserError as ``read`` does."""
    read(folder)
    content = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return Settings(**{one.name: content[one.name] for one in fields(Settings)})


def _version(folder: Path) -> Any:
    """Return the version that the file names, before anything else of it is trusted; None if it is damaged."""
    try:
        return json.loads((folder / FILE).read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
