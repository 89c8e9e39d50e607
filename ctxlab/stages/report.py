"""``ctxlab report``: one page from the results of any run directories."""

from ctxlab.workbench.reporting.parts import ReportParts
from ctxlab.workbench.reporting.session import make_report


def run(parts: ReportParts) -> None:
    """Read the runs and write the page, as Markdown and CSV too.

    Raises:
        UserError: There are no runs to report.
    """
    make_report(parts)
