"""``ctxlab sweep``: search the values of any keys, each trial a training run of its own, and report the best."""

from ctxlab.core.errors import Interrupted
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.sweeping import concluding, session, workers


def run(parts: Parts) -> None:
    """Open or create the study, run the trials that are missing, and write what they came to.

    Raises:
        UserError: The sweep cannot be run as configured, or its study is another one; nothing was run.
        CheckFailed: A trial failed; the others are reported.
        Interrupted: A signal was received; finished trials are kept, and running ones have saved a checkpoint.
    """
    sweep = session.prepare(parts)
    session.announce(sweep)
    try:
        workers.train(sweep)
    except Interrupted:
        concluding.save(sweep)
        raise
    concluding.conclude(sweep)
