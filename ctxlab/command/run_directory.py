"""A run directory belongs to one process: claimed atomically before anything is written into it."""

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

from ctxlab.command.stage_error import StageError
from ctxlab.config import preflight
from ctxlab.core.errors import UserError

BARE = ("config.yaml", "failure.json", "metrics.jsonl", "wandb")
"""What a run writes before it has done anything, beside logs and Hydra's folder; metrics only while they are empty."""

PATIENCE_SECONDS = 8.0
"""How long a resume waits for the processes of a killed run to go."""


class Claims:
    """What this process has claimed since it started."""

    def __init__(self) -> None:
        self.run: Path | None = None
        self.sweep: Path | None = None
        self._locks: list[int] = []
        self._made: list[Path] = []
        """Folders that were not there before the run's, the innermost first."""
        self._hidden = ""

    def take_run(self, folder: Path, hidden: str) -> None:
        """Claim the directory of a new run; ``hidden`` is the name of Hydra's folder in it."""
        self._made = [path for path in (folder, *folder.parents) if not path.exists()]
        claim(folder, "hydra.run.dir", f"{hidden}/")
        self.run, self._hidden = folder, hidden

    def withdraw(self) -> None:
        """Remove what a run that never got to work has left: its directory, and the folders made for it."""
        if self.run is None or not self._hidden or not _is_bare(self.run, self._hidden):
            return
        for path in self.run.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for folder in self._made:
            with contextlib.suppress(OSError):  # another run lives there by now
                folder.rmdir()

    def hold(self, folder: Path, patience_seconds: float) -> None:
        """Lock a directory until ``release`` or the end of the process.

        Raises:
            UserError: where another process holds it.
        """
        handle = os.open(folder, os.O_RDONLY)
        deadline = time.monotonic() + patience_seconds
        while not _lock(handle):
            if time.monotonic() >= deadline:
                os.close(handle)
                raise UserError(f"{folder} is in use by another process: wait for it, or end it first.")
            time.sleep(0.1)
        self._locks.append(handle)

    def release(self) -> None:
        """Forget all claims."""
        while self._locks:
            os.close(self._locks.pop())
        self.run = self.sweep = None
        self._made, self._hidden = [], ""


def _is_bare(folder: Path, hidden: str) -> bool:
    """Whether nothing in the directory of a run is worth keeping."""
    for path in folder.iterdir():
        if path.name == "metrics.jsonl" and path.stat().st_size:
            return False
        if path.name not in (*BARE, hidden) and path.suffix != ".log":
            return False
    return True


CLAIMS = Claims()


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)  # a file system without locks is no reason to stop
    return True


def claim(folder: Path, key: str, token: str) -> None:
    """Make ``folder`` this process's own.

    Args:
        folder: Missing or empty.
        key: Key that says where it is, for messages.
        token: Entry whose creation decides between processes that come at the same moment; ends in ``/`` for a folder.

    Raises:
        UserError: where something is there already, or nothing can be made there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise _taken(folder, key)
        _create(folder / token, is_folder=token.endswith("/"))
    except (FileExistsError, NotADirectoryError) as error:
        if folder.is_dir():
            raise _taken(folder, key) from error
        raise UserError(f"{key}={folder} cannot be made, a file is in the way: give another directory.") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{key}={folder} cannot be made ({reason}): give a directory that you may write to.") from error


def _create(path: Path, *, is_folder: bool) -> None:
    if is_folder:
        path.mkdir()
    else:
        path.open("x").close()


def _taken(folder: Path, key: str) -> UserError:
    return UserError(
        f"{key}={folder} exists and is not empty, nothing in it was touched: "
        f"give another directory, or go on with it by ctxlab train resume={folder}."
        if (folder / "checkpoints").is_dir()
        else f"{key}={folder} exists and is not empty, nothing in it was touched: give another directory."
    )


class RunDirectory(Callback):
    """Hydra tells when a run starts; what is raised here must be a ``StageError`` to be heard."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the values, then claim the directory, or lock it where a run goes on."""
        try:
            HydraConfig.instance().set_config(config)
            preflight.check(config)
            folder = Path(config.hydra.run.dir).absolute()
            resumed = config.get("resume") is not None
            if not resumed:
                CLAIMS.take_run(folder, config.hydra.output_subdir or ".hydra")
            CLAIMS.hold(folder, PATIENCE_SECONDS if resumed else 0.0)
            CLAIMS.run = folder
        except Exception as error:
            raise StageError(error) from error

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Claim the directory of all jobs."""
        try:
            HydraConfig.instance().set_config(config)
            folder = Path(config.hydra.sweep.dir).absolute()
            claim(folder, "hydra.sweep.dir", "multirun.yaml")
            CLAIMS.sweep = folder
        except Exception as error:
            raise StageError(error) from error
