"""Types of the keys of stages that score or check a run: ``eval``, ``soup``, ``verify``."""

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from ctxlab.config.keys.run import FromRun, RunConfig


@dataclass
class EvalOptions:
    """Options of ``ctxlab eval`` only."""

    split: str = MISSING
    runs: list[str] | None = MISSING
    given: list[str] = MISSING


@dataclass
class EvalConfig(EvalOptions, FromRun, RunConfig):
    """Root of ``ctxlab eval``."""

    perturb: Any = MISSING
    runtime: Any = MISSING


@dataclass
class SoupOptions:
    """Options of ``ctxlab soup`` only."""

    runs: list[str] = MISSING
    given: list[str] = MISSING
    method: str = MISSING
    checkpoint: str = MISSING


@dataclass
class SoupConfig(SoupOptions, RunConfig):
    """Root of ``ctxlab soup``."""


@dataclass
class VerifyOptions:
    """Options of ``ctxlab verify`` only."""

    blocks: int = MISSING
    tokens: int = MISSING
    documents: int = MISSING


@dataclass
class VerifyConfig(VerifyOptions, FromRun, RunConfig):
    """Root of ``ctxlab verify``."""
