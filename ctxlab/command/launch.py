"""Hydra's entry point, with its output and errors in ctxlab's form."""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import hydra
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from ctxlab.command import flags, front, team
from ctxlab.command.compose import VERSION_BASE
from ctxlab.command.explain import is_mistake
from ctxlab.command.job import follow, job
from ctxlab.command.run_directory import CLAIMS
from ctxlab.command.stage_error import StageError
from ctxlab.command.sweep import summarise
from ctxlab.config.catalogue import conf_dir
from ctxlab.config.redact import MASK, is_secret, redact, redact_file, redact_yaml
from ctxlab.core import plugins, signals, world
from ctxlab.core.errors import Interrupted
from ctxlab.core.invocation import command, handed, recorded_command

SHOWING = {"--cfg", "--info", "--hydra-help", "--version"}
"""Flags that print something and run nothing."""


def launch(stage: str, words: Sequence[str]) -> int:
    """Run ``ctxlab <stage> <words>``, as one of several processes if torchrun has started them; returns its status.

    Raises:
        Exception: any error, for the command line to explain.
    """
    if world.size() > 1:
        return team.launch(stage, words, _launch, follow)
    return _launch(stage, words)


def _launch(stage: str, words: Sequence[str]) -> int:
    arguments = flags.split(words, stage)
    is_handed = handed() is not None
    overrides = arguments.overrides if is_handed else front.rewrite(stage, arguments)
    recorded = command() if is_handed else redact(["ctxlab", stage, *words])
    once = _composed_once(arguments, overrides)
    with recorded_command(recorded), _process(stage, [*arguments.flags, *overrides]), once:
        main = hydra.main(config_path=str(conf_dir()), config_name=stage, version_base=VERSION_BASE)(job)
        if arguments.names & SHOWING:
            _show(main, arguments.flags)
            return 0
        return _run(main)


def _run(main: Callable[[], object]) -> int:
    """Run one job, or all jobs of a multirun and the table over them, even if it fails."""
    error: BaseException | None = None
    try:
        with signals.raising():  # from here on there may be a directory to remove
            main()
    except StageError as stop:
        error = stop.error
    except BaseException as other:
        error = other
    status = _finish(CLAIMS.sweep) if CLAIMS.sweep is not None else 0
    if error is not None:
        began = CLAIMS.run is not None or CLAIMS.sweep is not None
        if isinstance(error, (KeyboardInterrupt, Interrupted)) or is_mistake(error):
            began = began and not CLAIMS.withdraw()
        if isinstance(error, Interrupted) and not began and not str(error):
            error = Interrupted(error.signal_number, "Stopped before the run began: give the command again.")
        raise error  # outside the handler, so that its chain of causes is unchanged
    return status


def _finish(sweep: Path) -> int:
    """Clean up after a multirun and summarise it; one that never started leaves no files."""
    record = sweep / "multirun.yaml"
    if {path.name for path in sweep.iterdir()} <= {record.name}:
        record.unlink(missing_ok=True)
        sweep.rmdir()
        return 0
    if record.is_file():
        redact_file(record)
    return summarise(sweep)


def _show(main: Callable[[], object], given: Sequence[str]) -> None:
    """Print Hydra's output without secrets."""
    buffer = io.StringIO()
    try:
        with contextlib.redirect_stdout(buffer):
            main()
    except SystemExit as end:
        if end.code:
            raise
    text = buffer.getvalue()
    package = given[given.index("--package") + 1] if "--package" in given else ""
    sys.stdout.write(f"{MASK}\n" if is_secret(package) else redact_yaml(text))


@contextlib.contextmanager
def _composed_once(arguments: flags.Arguments, overrides: Sequence[str]) -> Iterator[None]:
    """Spare Hydra to compose everything a first time just to read ``hydra.mode``, where no file can set it.

    No file of ctxlab does; those of a plug-in, or of a folder that the user names, may.
    """
    if front.has_own_sources(arguments, overrides) or plugins.conf_dirs():
        yield
        return
    read = Hydra.get_mode

    def mode(app: Hydra, config_name: str | None, overrides: list[str]) -> object:  # named as by Hydra
        is_said = any(word.lstrip("+").startswith(("hydra.mode", "hydra/mode")) for word in overrides)
        return read(app, config_name, overrides) if is_said else None

    Hydra.get_mode = mode  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        Hydra.get_mode = read  # type: ignore[method-assign]


@contextlib.contextmanager
def _process(stage: str, words: Sequence[str]) -> Iterator[None]:
    """Set the process state that Hydra reads, and restore everything that it changes."""
    argv, root = sys.argv, logging.getLogger()
    handlers, level = list(root.handlers), root.level
    full_error = os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = [argv[0], *words]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that errors reach the command line instead of being printed
    try:
        yield
    finally:
        sys.argv = argv
        if full_error is None:
            os.environ.pop("HYDRA_FULL_ERROR", None)
        else:
            os.environ["HYDRA_FULL_ERROR"] = full_error
        CLAIMS.release()
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None
        for handler in [handler for handler in root.handlers if handler not in handlers]:
            root.removeHandler(handler)
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
