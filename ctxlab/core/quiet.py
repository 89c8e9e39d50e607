"""Context managers: a library without warnings and progress bars, and a model in evaluation mode."""

import importlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@contextmanager
def quiet(library: str = "transformers") -> Iterator[None]:
    """Silence warnings and progress bars of ``library`` where our own output replaces them; errors still raise.

    Args:
        library: ``transformers``, ``datasets`` or ``huggingface_hub``.
    """
    logger, bars = logging.getLogger(library), _bars(library)
    level, shown = logger.level, bars.shown()
    logger.setLevel(logging.ERROR)
    bars.hide()
    try:
        yield
    finally:
        logger.setLevel(level)
        if shown:
            bars.show()


@dataclass(frozen=True, slots=True)
class _Bars:
    """A library's functions that show and hide its progress bars."""

    shown: Callable[[], bool]
    show: Callable[[], None]
    hide: Callable[[], None]


def _bars(library: str) -> _Bars:
    if library == "transformers":
        switches = importlib.import_module("transformers.utils.logging")
        return _Bars(switches.is_progress_bar_enabled, switches.enable_progress_bar, switches.disable_progress_bar)
    switches = importlib.import_module(f"{library}.utils")
    return _Bars(
        lambda: not switches.are_progress_bars_disabled(),
        switches.enable_progress_bars,
        switches.disable_progress_bars,
    )


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Turn dropout and gradients off until the end of the block."""
    import torch

    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)
