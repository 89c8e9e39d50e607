"""Composing the configuration of a stage without running it."""

import secrets
from collections.abc import Sequence
from functools import cache, wraps
from typing import Any

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

from ctxlab.command import flags, front
from ctxlab.config import machinery
from ctxlab.config.catalogue import conf_dir
from ctxlab.config.schema import SCHEMAS
from ctxlab.core import plugins

VERSION_BASE = "1.3"
"""Version of Hydra's behaviour that the configuration is written for."""

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""Characters that are not easily confused with one another."""

SUFFIX_CHARS = 6


class OptionsOfPlugins(SearchPathPlugin):
    """Lets Hydra find the YAML files of ctxlab's plug-ins, after its own and ctxlab's."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add their folders at the end: an option of ctxlab is never replaced."""
        for folder in plugins.conf_dirs():
            search_path.append(provider="ctxlab.plugins", path=f"file://{folder.resolve()}")


@cache
def register() -> None:
    """Once for a process, make the schemas, resolvers and further folders known that the primary configs need.

    From then on Hydra's own part of every configuration of ctxlab is checked when it is loaded.
    """
    _guard()
    # The store is one object that is only read when configurations are composed, and what is taken from it is a copy;
    # Hydra would copy it whole for every composition, and for every group that ``--hydra-help`` lists.
    ConfigStore.__deepcopy__ = lambda store, _: store  # type: ignore[attr-defined]
    Plugins.instance().register(OptionsOfPlugins)
    for name, schema in SCHEMAS.items():
        ConfigStore.instance().store(name=name, node=schema, provider="ctxlab")
    OmegaConf.register_new_resolver("run_suffix", run_suffix, replace=True, use_cache=True)


def _guard() -> None:
    """Check what Hydra loads before it acts on it: it has no place for this, as callbacks are created before.

    The patch stays for the whole process, as other launchers load configurations of jobs in processes of their own.
    Configurations of other programs in this process are not checked.
    """
    load, ours = ConfigLoaderImpl.load_configuration, str(conf_dir())

    @wraps(load)
    def checked(loader: ConfigLoaderImpl, config_name: str | None, *args: Any, **kwargs: Any) -> DictConfig:
        config = load(loader, config_name, *args, **kwargs)
        if config_name is not None and any(
            str(one.path).removeprefix("file://") == ours for one in loader.get_search_path().get_path()
        ):
            machinery.check(config)
        return config

    ConfigLoaderImpl.load_configuration = checked  # type: ignore[method-assign,assignment]


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
