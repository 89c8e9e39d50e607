"""Smaller forward passes where the memory does not suffice for those of the configuration."""

from collections.abc import Callable, Sequence

from accelerate.utils.memory import should_reduce_batch_size

from ctxlab.core.errors import UserError


class LackOfMemory(Exception):  # noqa: N818 - it is mended by smaller passes
    """The forward passes of a step do not fit the memory; ``tokens_per_forward`` is what to try next."""

    def __init__(self, tokens_per_forward: int) -> None:
        super().__init__(tokens_per_forward)
        self.tokens_per_forward = tokens_per_forward


def ran_out(error: Exception) -> bool:
    """Return whether an error says that there is no memory left, on a device or in the process."""
    return isinstance(error, MemoryError) or should_reduce_batch_size(error)


def half(sizes: Sequence[int], names: Sequence[str]) -> int:
    """Return the tokens of a forward pass that divide a pass that did not fit in two.

    Args:
        sizes: Tokens of each of its items.
        names: Name of the document of each item.

    Raises:
        UserError: It had a single item; names its document.
    """
    if len(sizes) == 1:
        raise _too_large(f"Document {names[0]}", sizes[0])
    return len(sizes) * max(sizes) // 2


def lack_of_parts(parts: int) -> UserError:
    """Return the error of a process that has no memory for its part of a pass, of which there are ``parts``.

    The other parts wait for it within the pass, so that none of them can try again with smaller passes.
    """
    return UserError(
        f"Memory ran out in one of {parts} processes that share each window: use a lower trainer.tokens_per_forward, "
        "a higher trainer.context_parallel, or trainer.activation_checkpointing=true, and resume."
    )


def lack_of_dealt(processes: int) -> UserError:
    """Return the error of a process that has no memory for a pass where ``processes`` hold the weights together.

    The others wait for its part of a layer's weights, so that none of them can try again with smaller passes.
    """
    return UserError(
        f"Memory ran out in one of {processes} processes that hold the weights together (trainer.sharding=full): use a "
        "lower trainer.tokens_per_forward, or trainer.activation_checkpointing=true, and resume."
    )


def run_within(groups: Sequence[Sequence[int]], sizes: Sequence[int], run: Callable[[Sequence[int]], None]) -> None:
    """Run groups of items; a group for which memory runs out is divided in two.

    Args:
        groups: Indices of the items of each group.
        sizes: Tokens of each item.
        run: Runs a group; after an error it must be possible to run it again.

    Raises:
        UserError: A single item does not fit the memory.
    """
    waiting = list(reversed(groups))
    while waiting:
        group = waiting.pop()
        try:
            run(group)
            continue
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        # Outside of the handler: the error holds the tensors of the pass.
        if len(group) == 1:
            raise _too_large("A document", sizes[group[0]])
        middle = len(group) // 2
        waiting += [group[middle:], group[:middle]]


def _too_large(what: str, tokens: int) -> UserError:
    return UserError(
        f"{what} does not fit the memory: {tokens:,} of its tokens are read at once. Use a shorter context, another "
        "strategy or, in training, trainer.activation_checkpointing=true; ctxlab plan shows what fits."
    )
