"""How many checkpoints a run has on the disk at one time."""

import math


def num_saves(steps: int, save_every_steps: int, eval_every_steps: int | None) -> int:
    """Return how many checkpoints a run of ``steps`` writes: one for every save, every evaluation and its end.

    Args:
        steps: Steps of the run.
        save_every_steps: Steps between checkpoints.
        eval_every_steps: Steps between evaluations, each of which is followed by a save; None without any.
    """
    periods = {save_every_steps, eval_every_steps or save_every_steps}
    due = sum(steps // period for period in periods)
    if len(periods) == 2:
        due -= steps // math.lcm(*periods)  # saved once where both are due
    is_due_at_the_end = any(steps % period == 0 for period in periods)
    return max(due + (not is_due_at_the_end), 1)


def num_at_once(num_kept: int, num_saves: int | None, *, has_best: bool) -> int:
    """Return the most checkpoints that are there at one time: those kept, the best, and one that is being written.

    Args:
        num_kept: Newest checkpoints that are kept.
        num_saves: Checkpoints that the run writes; None if that is not known.
        has_best: Whether the best one may be older than those.
    """
    most = num_kept + has_best + 1
    return most if num_saves is None else min(most, num_saves)
