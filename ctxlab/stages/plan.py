"""``ctxlab plan``: predict what training costs, and what would make it fit."""

from ctxlab.workbench.parts import Parts
from ctxlab.workbench.planning import page, session


def run(parts: Parts) -> None:
    """Measure every candidate on a few short steps, and write and print its cost.

    Raises:
        UserError: No candidate can be trained, or the budget is too small for a step of any.
    """
    page.publish(session.plan(parts))
