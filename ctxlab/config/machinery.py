"""Checks of the part of a configuration with which Hydra calls, logs and writes, made before it does any of that.

An option of another folder (``--config-dir``), such as an experiment that somebody has sent, may set Hydra's own keys
too. Without these checks it could name any callable as a callback or as the handler of a log, and put files anywhere.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ctxlab.config import catalogue
from ctxlab.config.redact import IN_ENVIRONMENT, IN_URL, environment_secrets, secrets_in
from ctxlab.core import plugins
from ctxlab.core.errors import UserError

OWN = "ctxlab.command.run_directory.RunDirectory"
"""The callback that claims a run directory; every run has it."""

TARGETS = re.compile(r"hydra\._internal\.core_plugins\.\w+\.\w+|hydra_plugins(?:\.[A-Za-z]\w*){2,}", re.ASCII)
"""Launchers and sweepers: Hydra's own, and those of distributions that extend it."""

IN_PROCESS = re.compile(r"hydra\._internal\.core_plugins\.basic_launcher\.|hydra_plugins\.hydra_joblib_launcher\.")
"""Launchers that leave no copy of the configuration on the disk."""

LOGS = ("job_logging", "hydra_logging")
CLASSES = frozenset(
    {
        "colorlog.ColoredFormatter",
        "ctxlab.command.log_format.WithoutSecrets",
        "ctxlab.core.log_file.LogFile",
        "logging.FileHandler",
        "logging.Formatter",
        "logging.NullHandler",
        "logging.StreamHandler",
    }
)
"""What a configuration of logging may create."""

STREAMS = frozenset({"ext://sys.stdout", "ext://sys.stderr"})
LOG_FILE = re.compile(r"\$\{hydra\.runtime\.output_dir\}/(?:\$\{hydra\.job\.name\}|[\w.\- ]+)+")
"""A file directly in the run directory."""

LOADER = re.compile(r"LD_\w+|DYLD_\w+|PYTHON\w+|PATH|BASH_ENV|ENV|IFS|CTXLAB_CONF\w*", re.IGNORECASE)
"""Environment variables by which other code would be run."""


def check(config: DictConfig) -> None:
    """Refuse what would make Hydra call, import or write anything but a run of ctxlab.

    Args:
        config: The whole configuration, with Hydra's part.

    Raises:
        UserError: Names the key, its value and what to do.
    """
    tree: Any = OmegaConf.to_container(config.hydra, resolve=False)
    _check_stage(config)
    _check_targets(tree)
    for name in LOGS:
        _check_log(tree.get(name) or {}, f"hydra.{name}")
    _check_names(config)
    _check_choices(tree)
    _check_labels(config, tree)
    _check_environment(tree)
    _check_secrets(config, tree)


def _check_stage(config: DictConfig) -> None:
    stage = config.hydra.job.config_name
    if _resolved(config, "stage") != stage:
        raise UserError(f"stage={_resolved(config, 'stage')} cannot be set: the command is ctxlab {stage}.")


def _check_targets(tree: Mapping[str, Any]) -> None:
    for place, target in _found(tree, "hydra", "_target_"):
        package = str(target).split(".")[0]
        if target != OWN and not TARGETS.fullmatch(str(target)) and package not in plugins.packages():
            raise UserError(
                f"{place}={target} is refused: Hydra may only create its own launchers and sweepers, and what belongs "
                "to an installed plug-in; leave it out."
            )
    callbacks = tree.get("callbacks")
    own = callbacks.get("run_directory") if isinstance(callbacks, Mapping) else None
    if not isinstance(own, Mapping) or own.get("_target_") != OWN:
        raise UserError("hydra.callbacks.run_directory cannot be left out or replaced: it keeps runs from being lost.")


def _found(tree: Any, place: str, wanted: str) -> Iterator[tuple[str, Any]]:
    """Yield every value of a key, at any depth, with its dotted name."""
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        if key == wanted:
            yield f"{place}.{key}", value
        yield from _found(value, f"{place}.{key}", wanted)


def _check_log(tree: Mapping[str, Any], place: str) -> None:
    for key in ("()", "class"):
        for name, value in _found(tree, place, key):
            if value not in CLASSES:
                raise UserError(f"{name}={value} is refused: a log may have {', '.join(sorted(CLASSES))}.")
    for name, value in _found(tree, place, "filename"):
        if not LOG_FILE.fullmatch(str(value)):
            raise UserError(
                f"{name}={value} is refused: a log is a file in the run directory, as in "
                "${hydra.runtime.output_dir}/my.log."
            )
    for name, value in _leaves(tree, place):
        if "://" in value and value.split("://")[0] in ("ext", "cfg") and value not in STREAMS:
            raise UserError(f"{name}={value} is refused: a log may refer to {' or '.join(sorted(STREAMS))} only.")


def _leaves(tree: Any, place: str) -> Iterator[tuple[str, str]]:
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        if isinstance(value, str):
            yield f"{place}.{key}", value
        yield from _leaves(value, f"{place}.{key}")


def _check_names(config: DictConfig) -> None:
    """Refuse names of files and folders that lead out of the run directory."""
    for key in ("output_subdir", "sweep.subdir", "job.name"):
        value = _resolved(config, f"hydra.{key}")
        if value is not None and (_leads_out(str(value)) or (key == "job.name" and "/" in str(value))):
            raise UserError(f"hydra.{key}={value} is refused: give a name inside of the run directory.")


def _leads_out(name: str) -> bool:
    return ".." in name.split("/") or PurePosixPath(name).is_absolute() or "\0" in name


def _resolved(config: DictConfig, key: str) -> Any:
    """Return a value with its interpolations, or as it is written where these are known only to a job."""
    try:
        return OmegaConf.select(config, key)
    except OmegaConfBaseException:
        parent, _, name = key.rpartition(".")
        node = OmegaConf.select(config, parent)._get_node(name) if parent else config._get_node(name)
        return None if node is None else node._value()


def _check_choices(tree: Mapping[str, Any]) -> None:
    """Refuse options outside of the folders of options, wherever a list of defaults names them."""
    for group, option in ((tree.get("runtime") or {}).get("choices") or {}).items():
        if _leads_out(str(option)) or _leads_out(str(group)):
            raise UserError(f"{group}={option} is refused: an option is a file in the folder {group}, without '..'.")


def _check_labels(config: DictConfig, tree: Mapping[str, Any]) -> None:
    """Refuse another ``name`` than that of the option: results, pages and folders are labelled by it."""
    for group, option in ((tree.get("runtime") or {}).get("choices") or {}).items():
        if group.startswith("hydra") or "@" in group or not isinstance(option, str):
            continue
        name = _resolved(config, f"{group.replace('/', '.')}.name")
        if name in (None, option):
            continue
        path = catalogue.option_file(group, option)
        if path.is_file() and catalogue.read(path).get("name") == option:
            raise UserError(
                f"{group}.name={name} cannot be set: results are labelled by it, and this is {group}={option}; "
                "leave it out."
            )


def _check_environment(tree: Mapping[str, Any]) -> None:
    for name in (tree.get("job") or {}).get("env_set") or {}:
        if LOADER.fullmatch(str(name)):
            raise UserError(
                f"hydra.job.env_set.{name} is refused, as programs load other code by it: set {name} in the shell."
            )


def _check_secrets(config: DictConfig, tree: Mapping[str, Any]) -> None:
    """Refuse secrets in names of folders, and in the files that a launcher leaves for jobs elsewhere."""
    own: Any = OmegaConf.to_container(config, resolve=False)
    own.pop("hydra", None)
    secrets = environment_secrets() | secrets_in(own)
    for key in ("run.dir", "sweep.dir", "sweep.subdir"):
        value = str(_resolved(config, f"hydra.{key}"))
        if any(secret in value for secret in secrets):
            raise UserError(f"hydra.{key} has a secret in it, which everyone could read: give another directory.")
    launcher = str((tree.get("launcher") or {}).get("_target_"))
    if IN_PROCESS.match(launcher):
        return
    job = tree.get("job") or {}
    for name in [*(job.get("env_copy") or ()), *(job.get("env_set") or ())]:
        if IN_ENVIRONMENT.search(str(name)):
            raise UserError(
                f"hydra.job.env_copy or env_set has {name}, which {launcher.rpartition('.')[2]} would write in clear "
                f"into its files: leave it out, jobs inherit the environment."
            )
    if secrets_in(own) or any(IN_URL.search(text) for _, text in _leaves(own, "")):
        raise UserError(
            f"The configuration has a secret, which {launcher.rpartition('.')[2]} would write in clear into its files: "
            "put it into an environment variable and write ${oc.env:NAME}."
        )
