"""How a run ends before its end: by a mistake that a person can mend, or because somebody asked."""


class UserError(Exception):
    """One sentence that names the value, the place and the fix.

    The command line prints it without a traceback and exits with status 2.
    """


class CheckFailed(Exception):  # noqa: N818 - the program works, what it looked at does not
    """What was verified does not hold; the command line prints the sentence and exits with status 1."""


class Interrupted(Exception):  # noqa: N818 - nothing went wrong
    """A signal asked the process to stop; what was done is saved, and the message says how to go on."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.signal_number = signal_number
