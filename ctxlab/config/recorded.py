"""The configuration that an earlier run has recorded in its directory."""

from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException


def load(path: Path) -> DictConfig:
    """Read a recorded configuration.

    Raises:
        ValueError: The file is missing, cannot be read, or holds no keys.
    """
    try:
        loaded = OmegaConf.load(path)
        OmegaConf.to_container(loaded, resolve=True)
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise ValueError(f"{path} is missing or damaged") from error
    if not isinstance(loaded, DictConfig):
        raise ValueError(f"{path} is damaged: it has no keys")
    return loaded
