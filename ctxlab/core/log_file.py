"""The log of a run, which is no reason to disturb it."""

import logging


class LogFile(logging.FileHandler):
    """A log file that drops what cannot be written: a full disk has its own sentence, and no traceback beside it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name of logging
        """Drop the record."""
