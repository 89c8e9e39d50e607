"""How a run was composed, for its bundle: all that reading needs, without files of the machine and what only trains."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ctxlab.core.bundle import Settings

KEPT = ("task", "strategy", "context", "knowledge", "probe", "model", "experiment")
"""Groups that decide how documents are read."""

GENERATED = ("data", "data_seed")
"""Groups that are kept too where documents are generated, the same on every machine."""

COMPOSED = ("task", "strategy", "context", "knowledge")
"""Groups whose composed values are kept, so that a command can repeat them."""


def settings(run_dir: Path) -> Settings:
    """Read how the command in ``run_dir`` was composed, which is the run with the changes of the command."""
    words = _read(run_dir / "overrides.yaml", [])
    hydra = _read(run_dir / "hydra.yaml", {})["hydra"]
    config = _read(run_dir / "config.yaml", {})
    choices = {str(group): name for group, name in hydra["runtime"]["choices"].items()}
    generated = choices.get("data") == "generated"
    kept = (*KEPT, *(GENERATED if generated else ()))
    return Settings(
        overrides=[_without_folder(str(word)) for word in words if _root(str(word)) in kept],
        choices={group: name for group, name in choices.items() if group.split("/")[0] in kept},
        config={name: config[name] for name in COMPOSED if name in config},
        own_documents=generated,
    )


def _read(path: Path, empty: Any) -> Any:
    return yaml.safe_load((path.parent / ".hydra" / path.name).read_text(encoding="utf-8")) or empty


def _root(word: str) -> str:
    """Return the first part of the key of an override."""
    return word.lstrip("+~").partition("=")[0].partition("@")[0].replace("/", ".").split(".")[0]


def _without_folder(word: str) -> str:
    """Replace the folder of a model by its name, which is all that a bundle needs of it."""
    key, _, value = word.partition("=")
    if key.lstrip("+") != "model.path":
        return word
    plain = value.strip("'\"")
    is_folder = plain.startswith((".", "/", "~")) or plain.count("/") > 1
    return f"{key}={Path(plain).name}" if is_folder else word


def machine_paths(*paths: Path) -> list[str]:
    """Return the texts that no file of a bundle may have: ``paths``, and folders of this machine's programs."""
    code = Path(__file__).resolve().parents[3]  # the folder that ctxlab lies in
    folders = (*paths, Path.home(), Path.cwd(), Path(sys.prefix), Path(sys.base_prefix), code)
    return sorted({str(one) for one in folders if len(one.parts) > 2})  # a vocabulary may have words such as /tmp


def naming(folder: Path, texts: list[str]) -> Mapping[str, str]:
    """Return for each file below ``folder`` that has one of the texts the first of them."""
    needles = [text.encode() for text in texts]
    found = {}
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        content = path.read_bytes()
        hits = [needle.decode() for needle in needles if needle in content]
        if hits:
            found[path.relative_to(folder).as_posix()] = hits[0]
    return found
