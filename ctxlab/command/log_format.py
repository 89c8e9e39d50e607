"""The format of logs, on the screen and in the file of a run: no line has a secret."""

import logging

from ctxlab.config.redact import redact


class WithoutSecrets(logging.Formatter):
    """Masks secrets in whatever a record says, also in the tracebacks of libraries."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or the lines with a traceback."""
        return str(redact(super().format(record)))
