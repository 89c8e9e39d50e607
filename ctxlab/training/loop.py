"""The training loop: steps within a budget, reproducible across crashes.

One step takes the windows of (seed, epoch, step), runs forward and backward in groups that fit memory, divides the
gradients by the labels of the whole step, checks, clips and applies them. Randomness (dropout, draws of an objective)
is seeded by (seed, step, pass), so that a checkpoint needs no generator state and a resumed run is bit-identical.

Several processes are one run: each computes its lanes of every step, and all apply the same sum of gradients. The first
one alone evaluates and writes.
"""

import logging
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time

from accelerate import Accelerator

from ctxlab.core.architecture import has_dropout
from ctxlab.core.errors import Interrupted, UserError
from ctxlab.runtime import context_parallel, sharded
from ctxlab.runtime.cost import FlopCounter
from ctxlab.runtime.forward import Passes, model_call
from ctxlab.runtime.memory import LackOfMemory
from ctxlab.runtime.ranks import current
from ctxlab.tracking.metrics_file import MetricsFile
from ctxlab.training import checkpoint, lanes, saving, spikes
from ctxlab.training.accumulation import Accumulation, seed_step
from ctxlab.training.budget import Budget
from ctxlab.training.changes import changes
from ctxlab.training.faults import check_finite
from ctxlab.training.job import Job, Watcher
from ctxlab.training.optimizer_file import load_optimizer
from ctxlab.training.pacing import Pacing
from ctxlab.training.state import TrainState
from ctxlab.training.stop import Stop
from ctxlab.training.stream import Epoch

log = logging.getLogger(__name__)


class Trainer:
    """Trains a job from a state to the end of its budget."""

    def __init__(self, job: Job, accelerator: Accelerator, watcher: Watcher) -> None:
        self.job, self.accelerator, self.watcher = job, accelerator, watcher
        self.settings = job.settings
        self.budget = Budget.of(job.settings)
        self.model, self.optimizer = accelerator.prepare(job.model, job.optimizer)
        self.ranks = current()
        if not sharded.is_dealt(job.model):
            self.ranks.copy([*job.model.parameters(), *job.model.buffers()])
        self.part = context_parallel.join(job.settings.context_parallel, self.ranks)
        passes = Passes(
            job.strategy,
            model_call(self.model, job.strategy.attention, self.part),
            pad_id=job.tokenizer.pad_token_id,
            device=accelerator.device,
            target_place=job.target_place,
            context_length=job.context_length,
            part=self.part,
            sides=job.task.sides,
        )
        self.stop = Stop(self.ranks)
        self.accumulation = Accumulation(job, accelerator, passes=passes, ranks=self.ranks, stop=self.stop)
        self.pacing = Pacing(job, passes, self.ranks)
        self._logged = (0, 0.0)
        self._progress = 0.0
        """Fraction of the budget spent at the end of the last step."""

    def resume(self, folder: Path, state: TrainState) -> None:
        """Restore optimizer, averages and loss scaler from ``folder`` (weights are loaded with the model)."""
        load_optimizer(self.job.optimizer, folder / checkpoint.OPTIMIZER)
        self.job.averages.load(folder)
        saved = saving.read_state_file(folder)
        state.notes.extend(changes(saved.get("configuration", {}), self.job.configuration, state.step))
        scaler = saved.get("scaler")
        if scaler and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(scaler)
        if state.best_step is not None and self.ranks.leads:  # the run may have died between a save and its pointer
            best = checkpoint.step_name(state.best_step)
            checkpoint.write_pointer(self.job.run_dir, "best", best, step=state.best_step, metric=state.best_metric)

    def run(self, state: TrainState) -> TrainState:
        """Train until the budget is spent, early stopping applies, or a signal is received.

        Raises:
            Interrupted: A signal was received; a checkpoint was written first, unless a second one came meanwhile.
            Diverged: A loss, gradient or weight is not finite.
            UserError: A checkpoint cannot be written.
        """
        if self.job.task.views > 1 and not has_dropout(self.job.model):
            raise UserError(
                f"task={self.job.task.name} compares two draws of dropout, and this model has none: use "
                "model.dropout=0.1."
            )
        self.job.objective.start(self.job.model)
        if self.ranks.leads:
            path, kept = self.job.run_dir / "metrics.jsonl", state.step or -1
            self.metrics = MetricsFile(path, keep_until_step=kept, keep_rows=state.logged_rows)
        else:
            self.metrics = MetricsFile(Path(os.devnull))
        try:
            with self.watcher, self.stop.listening(), sharded.losses_told():
                self._loop(state)
                self.job.averages.keep()
        finally:
            self.metrics.close()
        return state

    def notes(self, state: TrainState) -> list[str]:
        """Return the notes of a run that has ended at ``state``, for its report."""
        skipped = self._epoch(state).skipped.note()
        jumps = spikes.note(state, self.settings.spike_factor or 0.0, skipped=self.settings.skip_spikes)
        extra = [*self.job.averages.notes(), *self.job.data_notes()]
        return [*state.notes, *([skipped] if skipped else []), *jumps, *extra]

    def _loop(self, state: TrainState) -> None:
        self._logged = (state.tokens, state.seconds)
        saved_at, self._progress = state.step, self.budget.progress(state)
        self._position(state)
        self._grow(state.length, state.length)
        if state.step and _due(state.step, self.settings.eval_every_steps) and self._evaluate(state):
            self._save(state)  # an evaluation that a signal ended is made up for
        self._end_if_asked(state)
        while True:
            with FlopCounter() as counter:  # a reading may run a model to select the content of a window
                epoch, progress = self._position(state)
            state.flops += counter.total
            if progress >= 1 or self._out_of_patience(state):
                break
            self._step(state, epoch, progress)
            cycle_ended = self._end_step(state)
            self.watcher.step(self.budget.progress(state), state)
            if state.step % self.settings.log_every_steps == 0:
                self._log_step(state)
            due = _due(state.step, self.settings.eval_every_steps) and self._evaluate(state)
            asked = self.stop.due  # one that comes later waits for the next step, which is saved then
            if due or cycle_ended or _due(state.step, self.settings.save_every_steps) or asked is not None:
                self._save(state)
                saved_at = state.step
            if asked is not None:
                self._end_if_asked(state)
        if state.loss_weight:
            self._log_step(state)
        evaluated = self._evaluate(state)
        self._grow(state.length, self.job.context_length)
        if evaluated or saved_at != state.step or not checkpoint.names(self.job.run_dir):
            self._save(state)
        self._end_if_asked(state)

    def _end_if_asked(self, state: TrainState) -> None:
        """Raise Interrupted after a signal; the state is saved."""
        if self.stop.due is not None:
            raise Interrupted(
                self.stop.due,
                f"Stopped at step {state.step}, saved; continue with `ctxlab train resume={self.job.run_dir}`.",
            )

    def _position(self, state: TrainState) -> tuple[Epoch, float]:
        """Return the epoch of the next step, and the fraction of the budget spent before it."""
        curriculum, longest = self.job.strategy.curriculum, self.job.context_length
        state.length = state.length or curriculum.length(0.0, longest)
        progress = self.budget.progress(state)
        length = curriculum.length(progress, longest)
        if length != state.length:
            self._grow(state.length, length)
            if state.batch:  # the rest of this pass is skipped: the next stage starts one with longer windows
                state.begin_pass(length)
            state.length = length
        if self.pacing.follow(state, curriculum.share(progress)) and state.batch:
            state.begin_pass(length)
        if state.batch >= len(self._epoch(state).steps):
            state.begin_pass(length)
        return self._epoch(state), progress

    def _epoch(self, state: TrainState) -> Epoch:
        """Return the epoch of ``state`` at its length.

        Raises:
            UserError: No document fits the length; names the curriculum if the length is one of its stages.
        """
        try:
            return self.job.stream.epoch(state.epoch, state.length, state.share, state.losses)
        except UserError as error:
            longest = self.job.context_length
            if state.length == longest:
                raise
            reason = str(error).split(";")[0]
            raise UserError(
                f"A stage of strategy/curriculum is too short ({reason}; {longest} in the end): use a longer "
                "context, strategy.curriculum.lengths that begin higher, or strategy/curriculum=constant."
            ) from None

    def _grow(self, trained: int, length: int) -> None:
        """Extend the positions to windows at a context of ``length``; training continues with them."""
        reach = self.job.strategy.num_positions
        self.job.strategy.positions.grow(self.job.model, reach(trained), reach(length))

    def _step(self, state: TrainState, epoch: Epoch, progress: float) -> None:
        started, cpu_started = perf_counter(), process_time()
        seed_step(self.job.seed, state.step)
        state.learning_rate = self.job.learning_rate * self.job.schedule.factor(progress)
        for group in self.optimizer.param_groups:
            group["lr"] = state.learning_rate * group.get("lr_scale", 1.0)
        indices = epoch.steps[state.batch]
        ids = [self.job.document_ids[epoch.items[i].document] for i in indices]
        self.accumulation.check_compared(epoch, indices)
        sums = self._accumulate_within_memory(state, epoch, indices)
        if sums.weight > 0:  # a step without a weighted label has nothing to learn from
            state.gradient_norm = self.apply(
                sums.weight, state.step, ids, lambda norm: self._is_skipped(norm, state), progress=progress
            )
        self.optimizer.zero_grad()
        state.add(sums)
        state.count_step(epoch.steps_per_pass)
        self._count_time(state, started, cpu_started)

    def _count_time(self, state: TrainState, started: float, cpu_started: float) -> None:
        seconds, cpu_seconds = self.ranks.told([perf_counter() - started, process_time() - cpu_started])
        state.seconds += seconds
        state.cpu_seconds += cpu_seconds

    def _end_step(self, state: TrainState) -> bool:
        """Average the weights; returns whether a cycle of the schedule has ended with the step."""
        before, now = self._progress, self.budget.progress(state)
        if self.job.averages.is_active:
            started, cpu_started = perf_counter(), process_time()
            self.job.averages.update(before, now)
            self._count_time(state, started, cpu_started)
        self._progress = now
        if self.job.schedule.cycles_ended(now) == self.job.schedule.cycles_ended(before):
            return False
        state.cycle_ends = [*state.cycle_ends, state.step]
        return True

    def _accumulate_within_memory(self, state: TrainState, epoch: Epoch, indices: Sequence[int]) -> lanes.Sums:
        """Accumulate a step; where memory runs out, again with passes of half the tokens, which are kept from then on.

        Raises:
            UserError: A single document does not fit the memory.
            Diverged: The loss of a lane is not finite.
        """
        while True:
            try:
                return self.accumulation.step(epoch, indices, state.step, state.tokens_per_forward)
            except LackOfMemory as lack:
                state.tokens_per_forward = lack.tokens_per_forward
                self._note_smaller_passes(state)

    def _note_smaller_passes(self, state: TrainState) -> None:
        note = (
            f"Memory ran out at step {state.step}: from there on a forward pass has at most "
            f"{state.tokens_per_forward:,} tokens, and a step as many as before."
        )
        log.warning("%s", note)
        state.notes = [*(one for one in state.notes if not one.startswith("Memory ran out")), note]

    def _is_skipped(self, norm: float, state: TrainState) -> bool:
        """Return whether a gradient of this norm is not applied; spikes are logged."""
        usual = state.usual_norm
        if not spikes.is_spike(norm, self.settings.spike_factor, state):
            return False
        self._log(state, "spike", gradient_norm=norm, usual_norm=usual)
        return self.settings.skip_spikes

    def apply(
        self,
        weight: float,
        step: int,
        ids: list[str],
        is_skipped: Callable[[float], bool] = lambda _: False,
        *,
        progress: float = 0.0,
    ) -> float:
        """Divide the gradients by the weight of the whole step, check, clip, and change the weights.

        Args:
            weight: Sum of the weights of the step's losses.
            step: Number of the step.
            ids: Documents of the step.
            is_skipped: Decides by the gradient's norm whether the weights stay as they are.
            progress: Fraction of the budget spent before the step, for the tuning rule.

        Returns:
            The gradient's norm before clipping.
        """
        for parameter in self.accumulation.trainable:
            if parameter.grad is not None:
                parameter.grad.div_(weight)
        clip_norm = self.settings.clip_norm or math.inf
        norm = float(sharded.full(self.accelerator.clip_grad_norm_(self.accumulation.trainable, clip_norm)))
        if self.accelerator.scaler is None:  # the fp16 scaler skips such steps itself and lowers its scale
            check_finite("gradient norm", norm, step, ids)
        if not is_skipped(norm):
            self.optimizer.step()
            self.job.tuning.after_step(self.job.model, progress)
        return norm

    def _log_step(self, state: TrainState) -> None:
        tokens, seconds = state.tokens - self._logged[0], state.seconds - self._logged[1]
        self._logged = (state.tokens, state.seconds)
        self._log(
            state,
            "train",
            loss=state.loss_sum / state.loss_weight if state.loss_weight else 0.0,
            learning_rate=state.learning_rate,
            gradient_norm=state.gradient_norm,
            epoch=state.epochs,
            tokens=state.tokens,
            context_length=state.length,
            seconds=state.seconds,
            tokens_per_second=tokens / max(seconds, 1e-9),
            **self.job.strategy.attention.figures(self.job.model),
        )
        state.loss_sum = state.loss_weight = 0.0

    def _log(self, state: TrainState, kind: str, **values: float) -> None:
        row = {"kind": kind, "step": state.step, **values}
        self.metrics.log(row)
        self.watcher.row(row)

    def _evaluate(self, state: TrainState) -> bool:
        """Score the validation split and record the best step.

        Returns:
            False if that was done already, if there is no such split, or if a signal ended it.
        """
        if self.job.evaluate is None or state.evaluated_step == state.step or self.stop.due is not None:
            return False
        scores = self._scores(state)
        if scores is None:  # a signal ended it
            return False
        scores = self.ranks.told(scores)  # machines that differ may differ in the last bit
        self._log(state, "validation", **scores)
        state.evaluated_step = state.step
        score, lower = scores[self.job.task.primary_metric], self.job.task.lower_is_better
        if state.best_metric is None or (score < state.best_metric if lower else score > state.best_metric):
            state.best_metric, state.best_step, state.evaluations_without_gain = score, state.step, 0
        else:
            state.evaluations_without_gain += 1
        return True

    def _scores(self, state: TrainState) -> dict[str, float] | None:
        """Score the validation split, in all processes together; None if a signal to one of them ends it."""
        assert self.job.evaluate is not None
        self.job.model.eval()
        self._grow(state.length, self.job.context_length)  # evaluation uses the full context
        try:
            with (
                sharded.whole(self.job.model, self.ranks),
                self.ranks.together(self.stop.signal_number),
                self.job.averages.applied(),
            ):
                return self.job.evaluate()
        except Interrupted as signal:
            self.stop.signal_number = self.stop.agreed = signal.signal_number
            return None
        finally:
            self._grow(state.length, state.length)
            self.job.model.train()

    def _out_of_patience(self, state: TrainState) -> bool:
        patience = self.settings.early_stopping_patience
        return patience is not None and state.evaluations_without_gain >= patience

    def _save(self, state: TrainState) -> None:
        gathered = saving.gather(self.job, self.ranks)
        if self.ranks.leads:
            self.metrics.sync()
            state.logged_rows = self.metrics.rows
            saving.save(self.job, state, self.accelerator.scaler, gathered)


def _due(step: int, every: int | None) -> bool:
    return every is not None and step % every == 0
