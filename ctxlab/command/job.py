"""One job as Hydra calls it, in this process or in one of another launcher."""

import contextlib
import importlib
import logging
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from ctxlab.command import team
from ctxlab.command.compose import compose, register
from ctxlab.command.explain import explain
from ctxlab.command.run_directory import CLAIMS
from ctxlab.command.stage_error import StageError
from ctxlab.config import preflight
from ctxlab.config.redact import redact_file, redact_yaml, secrets_in
from ctxlab.core import run_state, signals
from ctxlab.core.errors import FoundSomething, Interrupted, Reported
from ctxlab.core.files import write_json, write_text

log = logging.getLogger(__name__)

PARTS = "ctxlab.workbench.parts"
"""Module that builds the parts of a stage with a task and a model."""

OTHER_PARTS = {"report": "ctxlab.workbench.reporting.parts"}
"""Stages without task and model → the module that builds their parts."""

CONTINUED = ("train", "compare", "sweep")
"""Stages with ``resume=``."""

register()  # processes of other launchers import this module first


def job(config: DictConfig) -> None:
    """Run the stage in its directory.

    In a multirun a failing job is recorded and does not stop the others; a signal stops them all.

    Raises:
        StageError: carries the error of the stage, in a single run or on a signal.
    """
    hydra = HydraConfig.get()
    run_dir = Path(hydra.runtime.output_dir)
    try:
        with signals.raising():
            _prepare(config, run_dir)
            if team.wants_more(config):
                CLAIMS.unlock()  # they lock the directory themselves
                team.start(config, run_dir)
            else:
                team.TEAM.tell(config, run_dir)
                _stage(str(hydra.job.config_name)).run(_parts(config, run_dir))
        _finished(run_dir)
    except FoundSomething as error:  # the run is complete
        _finished(run_dir)
        if hydra.mode != RunMode.MULTIRUN:
            raise StageError(error) from error
    except Interrupted as error:
        message = str(error) or _how_to_continue(str(config.stage), run_dir)
        stop = Interrupted(error.signal_number, message, is_told=error.is_told)
        if not stop.is_told:
            _record(stop, run_dir)
        raise StageError(stop) from error
    except Exception as error:
        if not isinstance(error, Reported):
            _record(error, run_dir)
        if hydra.mode != RunMode.MULTIRUN:
            raise StageError(error) from error


def _finished(run_dir: Path) -> None:
    (run_dir / run_state.FINISHED).parent.mkdir(exist_ok=True)
    (run_dir / run_state.FINISHED).touch()


def follow(values: Mapping[str, Any], run_dir: Path) -> None:
    """Run the stage as one of several processes, of which the first has prepared the directory.

    Args:
        values: The first process's configuration.
        run_dir: The directory of the run.

    Raises:
        Exception: whatever the stage raises.
    """
    config = compose(str(values["stage"]), [])  # has the types
    with open_dict(config):
        for key, value in values.items():
            is_typed = (
                not OmegaConf.is_missing(config, key)
                and OmegaConf.is_config(config[key])
                and OmegaConf.get_type(config, key) is not dict
            )
            config[key] = OmegaConf.merge(config[key], value) if is_typed else value
    with signals.raising():
        _stage(str(config.stage)).run(_parts(config, run_dir))


def _how_to_continue(stage: str, run_dir: Path) -> str:
    """Return what to do after a signal at a place where the stage has nothing to add."""
    if stage in CONTINUED and not run_state.is_bare(run_dir):
        return f"Stopped; continue with `ctxlab {stage} resume={run_dir}`."
    return "Stopped; nothing is lost: give the command again."


def _prepare(config: DictConfig, run_dir: Path) -> None:
    """Remove secrets and traces of an earlier failure from the directory, then check the values."""
    for name in (run_state.FAILURE, run_state.FINISHED):
        (run_dir / name).unlink(missing_ok=True)
    secrets = secrets_in(OmegaConf.to_container(config, resolve=False))
    for path in _hydra_files(run_dir):
        redact_file(path, secrets)
    write_text(run_dir / "config.yaml", redact_yaml(OmegaConf.to_yaml(config), secrets))
    preflight.check(config)


def _hydra_files(run_dir: Path) -> Iterator[Path]:
    yield from (run_dir / ".hydra").glob("*.yaml")
    yield from run_dir.parent.glob("multirun.yaml")


def _parts(config: DictConfig, run_dir: Path) -> Any:
    """Build the typed parts of the run; no stage sees the configuration."""
    return importlib.import_module(OTHER_PARTS.get(config.stage, PARTS)).make_parts(config, run_dir)


def _stage(name: str) -> ModuleType:
    return importlib.import_module(f"ctxlab.stages.{name}")


def _record(error: BaseException, run_dir: Path) -> None:
    """Write the sentence to ``failure.json`` and the traceback to the log; a full disk must not hide the error."""
    log.info("%s", "".join(traceback.format_exception(error)))
    explanation = explain(error)
    failure = {"error": explanation.sentence, "type": type(error).__name__, "exit_status": explanation.status}
    with contextlib.suppress(OSError):
        write_json(run_dir / run_state.FAILURE, failure)
