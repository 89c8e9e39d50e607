"""Composing the configuration of a stage without running it."""

import secrets
from collections.abc import Sequence

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from ctxlab.command import flags, front
from ctxlab.config.catalogue import conf_dir
from ctxlab.config.schema import SCHEMAS

VERSION_BASE = "1.3"
"""Version of Hydra's behaviour that the configuration is written for."""

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""Characters that are not easily confused with one another."""

SUFFIX_CHARS = 6


def register() -> None:
    """Register the schemas and resolvers that the primary configs use."""
    for name, schema in SCHEMAS.items():
        ConfigStore.instance().store(name=name, node=schema, provider="ctxlab")
    OmegaConf.register_new_resolver("run_suffix", run_suffix, replace=True, use_cache=True)


def run_suffix() -> str:
    """Return a random suffix; it is cached with the configuration, so that all names of a run share it."""
    return "".join(secrets.choice(ALPHABET) for _ in range(SUFFIX_CHARS))


def compose(stage: str, overrides: Sequence[str] = (), *, with_hydra: bool = False) -> DictConfig:
    """Compose the configuration that ``ctxlab <stage> <overrides>`` would run with.

    Raises:
        UserError: for invalid overrides; Hydra's own errors for a configuration that does not compose.
    """
    register()
    words = front.rewrite(stage, flags.split(overrides, stage))
    with hydra.initialize_config_dir(config_dir=str(conf_dir()), version_base=VERSION_BASE):
        return hydra.compose(config_name=stage, overrides=words, return_hydra_config=with_hydra)
