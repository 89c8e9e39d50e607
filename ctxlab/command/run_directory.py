"""Run directories are claimed atomically before anything is written, so that each belongs to one process."""

import contextlib
import errno
import fcntl
import os
import shutil
import time
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from ctxlab.command import space_check
from ctxlab.command.stage_error import StageError
from ctxlab.command.team import check_launcher
from ctxlab.config import preflight
from ctxlab.core import run_state, signals
from ctxlab.core.errors import UserError
from ctxlab.core.invocation import handed

REPLACING = ("report",)
"""Stages whose output may be written again into the same folder: it follows from its inputs alone."""

PATIENCE_SECONDS = 8.0
"""How long a resumed run waits for the processes of a killed run to end."""


class Claims:
    """The directories that this process has claimed."""

    def __init__(self) -> None:
        self.run: Path | None = None
        self.sweep: Path | None = None
        self._locks: list[int] = []
        self._made: list[Path] = []
        """Folders created for the run, the innermost first."""
        self._hidden = ""

    def take_run(self, folder: Path, key: str, hidden: str) -> None:
        """Claim the directory of a new run.

        Args:
            folder: The directory.
            key: Key that names it, for messages.
            hidden: Name of Hydra's folder in it.
        """
        self._made = [path for path in (folder, *folder.parents) if not path.exists()]
        with signals.held():  # what is claimed is also withdrawn
            claim(folder, key, f"{hidden}/")
            self.run, self._hidden = folder, hidden

    def withdraw(self) -> bool:
        """Remove the directory of a run that never started to work, and the folders created for it, if there is one."""
        if self.run is None or not self._hidden or not run_state.is_bare(self.run, self._hidden):
            return False
        for path in self.run.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for folder in self._made:
            with contextlib.suppress(OSError):  # another run is in there by now
                folder.rmdir()
        return True

    def hold(self, folder: Path, patience_seconds: float) -> None:
        """Lock a directory until ``release`` or the end of the process.

        Raises:
            UserError: if another process has locked it.
        """
        handle = os.open(folder, os.O_RDONLY)
        deadline = time.monotonic() + patience_seconds
        while not _lock(handle):
            if time.monotonic() >= deadline:
                os.close(handle)
                raise UserError(f"{folder} is in use by another process: wait for it, or end it first.")
            time.sleep(0.1)
        self._locks.append(handle)

    def unlock(self) -> None:
        """Unlock what this process has locked, for processes that it starts."""
        while self._locks:
            os.close(self._locks.pop())

    def release(self) -> None:
        """Release all claims."""
        self.unlock()
        self.run = self.sweep = None
        self._made, self._hidden = [], ""


CLAIMS = Claims()


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)  # continue on a file system without locks
    return True


def claim(folder: Path, key: str, token: str) -> None:
    """Claim ``folder`` for this process.

    Args:
        folder: A missing or empty folder.
        key: Key that names it, for messages.
        token: Entry whose creation decides between simultaneous processes; ends in ``/`` for a folder.

    Raises:
        UserError: if the folder is not empty or cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise _taken(folder, key)
        _create(folder / token, is_folder=token.endswith("/"))
    except (FileExistsError, NotADirectoryError) as error:
        if folder.is_dir():
            raise _taken(folder, key) from error
        raise UserError(f"{key}={folder} cannot be created, a file is in the way: give another directory.") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(
            f"{key}={folder} cannot be created ({reason}): give a directory that you may write to."
        ) from error


def _create(path: Path, *, is_folder: bool) -> None:
    if is_folder:
        path.mkdir()
    else:
        path.open("x").close()


def _taken(folder: Path, key: str) -> UserError:
    return UserError(
        f"{key}={folder} exists and is not empty, nothing in it was touched: "
        f"give another directory, or continue the run with ctxlab train resume={folder}."
        if (folder / "checkpoints").is_dir()
        else f"{key}={folder} exists and is not empty, nothing in it was touched: give another directory."
    )


def _is_replaced(folder: Path, stage: str) -> bool:
    """Return whether the folder has an output of a stage that replaces its own earlier ones."""
    import yaml

    record = folder / ".hydra" / "hydra.yaml"
    if stage not in REPLACING or not record.is_file():
        return False
    try:
        loaded = yaml.safe_load(record.read_text(encoding="utf-8"))
        return bool(loaded["hydra"]["job"]["config_name"] == stage)
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        return False


class RunDirectory(Callback):
    """Callback of Hydra at the start of a run; only a ``StageError`` raised here reaches the command line."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the values, then claim the directory, or only lock it for a resumed run."""
        try:
            HydraConfig.instance().set_config(config)
            preflight.check(config)
            if config.stage == "sweep":
                space_check.check(config)
            folder = Path(config.hydra.run.dir).absolute()
            resumed = config.get("resume") is not None
            if not resumed and folder != handed() and not _is_replaced(folder, config.stage):
                key = "output" if config.stage in REPLACING else "hydra.run.dir"
                CLAIMS.take_run(folder, key, config.hydra.output_subdir or ".hydra")
            if not (resumed and config.stage == "sweep"):  # several commands may work on one sweep
                CLAIMS.hold(folder, PATIENCE_SECONDS if resumed else 0.0)
            CLAIMS.run = folder
        except Exception as error:
            raise StageError(error) from error

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Claim the directory of the multirun."""
        try:
            HydraConfig.instance().set_config(config)
            check_launcher(config)
            folder = Path(config.hydra.sweep.dir).absolute()
            claim(folder, "hydra.sweep.dir", "multirun.yaml")
            CLAIMS.sweep = folder
        except Exception as error:
            raise StageError(error) from error
