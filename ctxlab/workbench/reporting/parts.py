"""The parts of a report; like ``workbench.parts``, but without a task and a model, so that it needs no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ctxlab.config.build import build
from ctxlab.config.redact import redact
from ctxlab.config.schema import stage_options
from ctxlab.core import invocation
from ctxlab.core.tracking import Tracker


@dataclass(frozen=True, slots=True)
class ReportParts:
    """Parts of ``ctxlab report``."""

    folder: Path
    """Where the report is written."""
    runs: Sequence[Path]
    """Directories to report, as the user gave them."""
    command: Sequence[str]
    """Words of the command line, free of secrets."""
    tracker: Tracker
    config: Mapping[str, Any]
    """The composed configuration, resolved and redacted, for the tracker."""


def make_parts(cfg: DictConfig, run_dir: Path) -> ReportParts:
    """Build the parts that a composed configuration names.

    Raises:
        UserError: A target, key or value is invalid; names it and a valid one.
    """
    options = stage_options(cfg)
    return ReportParts(
        folder=run_dir,
        runs=[Path(run).expanduser() for run in options.runs],
        command=invocation.command(),
        tracker=build(cfg.tracking, Tracker),
        config=redact(OmegaConf.to_container(cfg, resolve=True)),
    )
