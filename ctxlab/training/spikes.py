"""Steps whose gradient is much larger than usual."""

from ctxlab.training.state import TrainState

DECAY = 0.98
"""Weight of the past in the running mean of gradient norms: about fifty steps count."""

LEAST_STEPS = 20
"""Steps after which the running mean says what is usual."""


def is_spike(norm: float, factor: float | None, state: TrainState) -> bool:
    """Return whether a gradient norm is a spike, and add it to the running mean if not.

    Args:
        norm: Norm of the gradient of a step, before clipping.
        factor: Norms above this multiple of the running mean are spikes; None if there are none.
        state: Has the running mean, and counts the spikes.
    """
    if factor is not None and state.usual_steps >= LEAST_STEPS and norm > factor * state.usual_norm:
        state.spikes += 1
        return True
    state.usual_steps += 1
    weight = max(1 - DECAY, 1 / state.usual_steps)  # a plain mean at first
    state.usual_norm += weight * (norm - state.usual_norm)
    return False


def note(state: TrainState, factor: float | None, *, skipped: bool) -> list[str]:
    """Return a sentence about the spikes of a run in a list, which is empty where there are none."""
    if not state.spikes:
        return []
    what = "were skipped" if skipped else "were clipped like the others; trainer.skip_spikes=true skips such steps"
    return [
        f"In {state.spikes} of {state.step} steps the gradient norm was over {factor:g} times its running mean; they "
        f"{what}."
    ]
