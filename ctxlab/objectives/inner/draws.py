"""Repeating the random draws of a forward pass, so that several passes have the same dropout."""

import torch


def draws() -> list[torch.Tensor]:
    """Return the states of the generators that dropout draws from."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])]


def draw_again(states: list[torch.Tensor]) -> None:
    """Set the generators back to ``states``."""
    torch.set_rng_state(states[0])
    if states[1:]:
        torch.cuda.set_rng_state_all(states[1:])


def own_generator() -> torch.Generator:
    """Return a generator seeded as the pass is, by (seed, step, pass), which leaves the draws of dropout alone."""
    return torch.Generator().manual_seed(torch.initial_seed())
