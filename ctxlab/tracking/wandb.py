"""Weights & Biases; offline without a key or a server, and never a reason for a run to fail."""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.invocation import command
from ctxlab.core.tracking import RunInfo, Tracker
from ctxlab.tracking.deadline import Late, within
from ctxlab.tracking.flat import flatten_numbers

log = logging.getLogger(__name__)

TELEMETRY = "WANDB_ERROR_REPORTING"
"""Environment variable that lets W&B send figures about itself, which waits half a minute for a server that is busy."""

LOG_SECONDS, FINISH_SECONDS, TEARDOWN_SECONDS = 2.0, 5.0, 1.0
"""How long one waits for W&B's process to take a point, to send the rest, and to end."""


class Wandb(Tracker):
    """Logs each job as one W&B run: configuration, training figures, final scores, costs and the report."""

    def __init__(self, project: str, entity: str | None, mode: str, timeout_seconds: float) -> None:
        """Check and store the options.

        Args:
            project: Project on the server.
            entity: User or team on the server; None for the key's own.
            mode: ``auto``, ``online`` or ``offline``.
            timeout_seconds: How long to wait for the server before logging offline.
        """
        if mode not in ("auto", "online", "offline"):
            raise UserError(f"tracking.mode={mode} is not known; use auto, online or offline.")
        self.project, self.entity, self.mode, self.timeout_seconds = project, entity, mode, timeout_seconds
        self._run: Any = None
        self._info: RunInfo | None = None
        self._points: list[tuple[int, str]] = []
        """Everything logged, as JSON: should W&B's process die, another one records it anew."""

    def start(self, info: RunInfo) -> str | None:
        """Open the run online if that works and is allowed, else offline; no run if W&B is disabled.

        W&B's environment variables take precedence over ``mode``: with them a cluster or a colleague keeps figures
        from leaving a machine.
        """
        allowed = mode_allowed(os.environ)
        if allowed == "disabled" or not self._is_installed():
            return None
        self._info = info
        os.environ.setdefault(TELEMETRY, "false")
        wanted = self.mode == "online" or (self.mode == "auto" and bool(os.environ.get("WANDB_API_KEY")))
        if wanted and allowed == "online":
            try:
                self._run = self._init(info, "online")
            except Exception as error:  # the client raises errors of its own for network and usage alike
                reason = str(error).strip().split("\n")[0]
                log.warning("W&B does not answer (%s); the run is logged offline.", reason)
                _abandon()
        if self._run is None:
            self._run = self._init(info, "offline")
        return str(self._run.id)

    def _init(self, info: RunInfo, mode: str) -> Any:
        import wandb

        wandb.setup(settings=wandb.Settings(silent=True))  # notices on saved files follow these settings, not the run's
        with _recorded_arguments():
            return self._opened(info, mode)

    def _opened(self, info: RunInfo, mode: str) -> Any:
        import wandb

        return wandb.init(
            project=self.project,
            entity=self.entity,
            mode=mode,  # type: ignore[arg-type]
            dir=str(info.run_dir),
            name=info.name,
            group=info.group or None,
            config=dict(info.config),
            id=info.run_id,
            resume="allow" if info.run_id and mode == "online" else None,
            reinit="create_new",  # a second job in one process is a second run
            settings=wandb.Settings(
                silent=True,
                init_timeout=self.timeout_seconds,
                console="off",
                disable_git=True,
                x_disable_stats=False,
                x_service_wait=self.timeout_seconds,
            ),
        )

    def _is_installed(self) -> bool:
        """Return whether W&B can be imported; if not, say so."""
        try:
            import wandb  # noqa: F401
        except Exception as error:  # a broken installation raises errors of all kinds
            reason = str(error).strip().split("\n")[0]
            log.warning("W&B cannot be imported (%s); the figures are in metrics.jsonl alone.", reason)
            return False
        return True

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Log the figures of one step."""
        if self._run is None:
            return
        self._points.append((step, json.dumps(dict(values))))
        self._ask(lambda: self._run.log(dict(values), step=step), LOG_SECONDS)

    def _ask(self, action: Callable[[], Any], seconds: float) -> None:
        """Call W&B's process; one that has died or hangs is replaced by an offline run with everything logged so far.

        Args:
            action: The call; everything logged before is in the new run.
            seconds: How long one waits for it.
        """
        try:
            within(seconds, action)
        except Exception as error:  # the client raises errors of its own
            reason = str(error).strip().split("\n")[0] or type(error).__name__
            log.warning("W&B's process has failed (%s); the run is logged anew, offline.", reason)
            _abandon()
            assert self._info is not None
            self._run = self._init(replace(self._info, run_id=str(self._run.id)), "offline")
            for step, point in self._points:
                self._run.log(json.loads(point), step=step)

    def keep(self, files: Sequence[Path], kind: str) -> None:
        """Log the files as a W&B artifact; an offline run has it too, and ``wandb sync`` uploads it."""
        if self._run is None:
            return
        import wandb

        artifact = wandb.Artifact(f"{kind}-{self._run.id}", type=kind)
        for file in files:
            artifact.add_file(str(file), name=file.name)
        self._run.log_artifact(artifact)

    def finish(self, result: Mapping[str, Any] | None, report: Path | None) -> None:
        """Write scores and costs to the summary, save the report as a file, and close the run."""
        if self._run is None:
            return
        self._ask(lambda: self._run.status(), LOG_SECONDS)  # it answers only if it lives and took every point
        if result is not None:
            self._run.summary.update(flatten_numbers(result))
        if report is not None:
            self._run.save(str(report), base_path=str(report.parent), policy="now")
            for picture in sorted(report.parent.glob("*.png")):
                self._run.save(str(picture), base_path=str(picture.parent), policy="now")
        try:
            within(FINISH_SECONDS, lambda: self._run.finish(exit_code=0 if result is not None else 1))
        except Late:
            folder = Path(self._run.dir).parent
            log.warning("W&B has not received everything yet; `wandb sync %s` sends the rest.", folder)
            _abandon()


def _abandon() -> None:
    """End W&B's process without waiting for what it still wants to send, which its file has too."""
    import wandb

    process = None
    with contextlib.suppress(AttributeError):  # not part of the interface
        process = wandb.setup()._connection._proc._process  # type: ignore[union-attr]
    with contextlib.suppress(Exception):  # it may be gone
        within(TEARDOWN_SECONDS, lambda: wandb.teardown(1))
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()


@contextmanager
def _recorded_arguments() -> Iterator[None]:
    """Let W&B, which keeps the words of the command, see those without secrets."""
    before = sys.argv
    sys.argv = command() or before[:1]
    try:
        yield
    finally:
        sys.argv = before


def mode_allowed(environment: Mapping[str, str]) -> str:
    """Return the most that W&B's environment variables allow: ``online``, ``offline`` or ``disabled``.

    ``WANDB_DISABLED`` disables unless it is empty or false, as in Transformers; ``WANDB_MODE=dryrun`` is the former
    name of ``offline``.
    """
    if environment.get("WANDB_DISABLED", "").strip().lower() not in ("", "0", "false", "no", "off"):
        return "disabled"
    mode = environment.get("WANDB_MODE", "").strip().lower()
    return {"disabled": "disabled", "offline": "offline", "dryrun": "offline"}.get(mode, "online")
