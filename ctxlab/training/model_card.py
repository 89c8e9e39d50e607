"""The model card of a checkpoint: what its weights are, and what a plain ``from_pretrained`` leaves out."""

from importlib.metadata import version

from ctxlab.core.contract import option
from ctxlab.core.optim import Tuning
from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Task

FILE = "README.md"
"""Name of the card in a checkpoint, as Transformers and the hub expect it."""

CARD = """\
---
library_name: transformers
tags: [ctxlab, long-context]
---

# {task} by {model}, context of {context:,} tokens

Checkpoint of step {step:,} of a training run of ctxlab {version}: task `{task}`, strategy `{strategy}` ({parts}).

## Load it

```python
import ctxlab

run = ctxlab.load("<run directory>", checkpoint="latest")
run.predict(["A document of any length."])
```

The run directory is the one whose folder `checkpoints/` this folder is in: copy it as a whole. `checkpoint="best"`
loads the step with the best validation score.

## Without ctxlab

{loads} **none of the strategy's code: it
runs dense attention** over whatever it is given, and reads one window. {differs}. Windows of this run have at most
{window:,} tokens, special ones included; the tokenizer's `model_max_length` says the same.
"""


LOADS = "`{model}.from_pretrained` loads these weights, and changed positions with them, but"
"""How the section begins where the library can build the model."""

REBUILT = (
    "`{model}.from_pretrained` **cannot load these weights**: the model is compressed in a way that the library cannot "
    "build ({how}), and would begin with random ones in their place. It also has"
)
"""How it begins for a compressed model."""


def card(
    task: Task, strategy: Strategy, tuning: Tuning, *, model: str, context_length: int, step: int, rebuilt: str = ""
) -> str:
    """Return the page as Markdown.

    Args:
        task: Task that the model was trained for.
        strategy: Strategy that it was trained with.
        tuning: Tuning rule that it was trained with.
        model: Name of its class.
        context_length: Context length of the run, in tokens.
        step: Training steps done.
        rebuilt: How the model is compressed, where only ctxlab can build it; empty otherwise.
    """
    families = ("reading", "positions", "attention", "memory", "curriculum")
    parts = {family: option(getattr(strategy, family)) for family in families}
    return CARD.format(
        task=task.name,
        model=model,
        loads=(REBUILT if rebuilt else LOADS).format(model=model, how=rebuilt),
        context=context_length,
        step=step,
        version=version("ctxlab"),
        strategy=strategy.name,
        parts=", ".join(f"{family} `{name}`" for family, name in parts.items()),
        differs=_difference(parts, None if tuning.merges else option(tuning)),
        window=strategy.reading.longest(context_length),
    )


def _difference(parts: dict[str, str], unmerged: str | None) -> str:
    """Return a sentence about what is missing without ctxlab: parts, and the tuning rule if it cannot be merged."""
    missing = [] if parts["attention"] == "full" else [f"the attention pattern `{parts['attention']}`"]
    missing += [] if parts["memory"] == "none" else [f"the memory `{parts['memory']}` between windows"]
    missing += [f"what was trained by the tuning rule `{unmerged}`, which cannot be merged"] if unmerged else []
    missing.append(f"the reading `{parts['reading']}` of documents longer than a window")
    return f"Missing are {' and '.join(missing)}, so that answers differ from those of the run"
