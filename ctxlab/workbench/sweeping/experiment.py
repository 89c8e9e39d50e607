"""The best trial as an option of the group ``experiment``, with which ``ctxlab train`` repeats it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra
import yaml
from omegaconf import OmegaConf

from ctxlab.config import catalogue
from ctxlab.core.files import write_text

FOLDER = "conf"
"""Folder in the sweep's directory that ``--config-dir`` takes."""

NAME = "best"

LEFT_OUT = ("tracking", "resume", "stage", "hydra")
"""Keys and groups of a run that are not what was tried."""


def write(sweep: Path, trial: Path, title: str) -> Path:
    """Write ``conf/experiment/best.yaml`` into the directory of a sweep.

    It chooses the options of the trial's groups and sets every key that these alone would leave at another value.

    Args:
        sweep: Directory of the sweep.
        trial: Run directory of the trial.
        title: First comment line.

    Returns:
        The file.
    """
    choices, config = _recorded(trial)
    ours = set(catalogue.groups()) - {*LEFT_OUT, "experiment"}
    options = {
        group: str(option) for group, option in reversed(choices.items()) if group in ours and option is not None
    }
    composed = hydra.compose(config_name="train", overrides=[f"{group}='{one}'" for group, one in options.items()])
    plain = OmegaConf.to_container(composed, resolve=False)
    assert isinstance(plain, dict)
    tried = {key: value for key, value in config.items() if key not in LEFT_OUT}
    body = _different(tried, {str(key): value for key, value in plain.items()})
    lines = [f'  - override /{group}: "{option}"\n' for group, option in options.items()]
    text = f"# @package _global_\n# {title}\ndefaults:\n{''.join(lines)}"
    text += ("\n" + yaml.safe_dump(body, sort_keys=False, allow_unicode=True)) if body else ""
    path = sweep / FOLDER / "experiment" / f"{NAME}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def _recorded(trial: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the groups' options of a run, and its configuration with interpolations unresolved."""
    recorded = yaml.safe_load((trial / ".hydra" / "hydra.yaml").read_text(encoding="utf-8"))
    config = OmegaConf.to_container(OmegaConf.load(trial / ".hydra" / "config.yaml"), resolve=False)
    assert isinstance(config, dict)
    return recorded["hydra"]["runtime"]["choices"], {str(key): value for key, value in config.items()}


def _different(config: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of ``config`` that have another value in ``plain``."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        before = plain.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = _different(value, before)
            found |= {key: inner} if inner else {}
        elif key not in plain or value != before:
            found[key] = value
    return found
