"""Exceptions that end a run early: a mistake that the user can fix, a failed check, divergence, or a signal."""


class UserError(Exception):
    """One sentence that names the value, the place and the fix.

    The command line prints it without a traceback and exits with status 2.
    """


class CheckFailed(Exception):  # noqa: N818 - the program works; what it checked does not
    """A check failed; the command line prints the sentence and exits with status 1."""


class Alarmed(Exception):  # noqa: N818 - the program works; what it watches is not as usual
    """An alarm rang; the command line prints the sentence and exits with status 4."""


class Diverged(Exception):  # noqa: N818 - the program works; training does not
    """A number of training is not finite; the command line prints the sentence and exits with status 3."""


class ProcessLost(Exception):  # noqa: N818 - this process works; another one of its run has ended
    """Another process of the run ended; the first one prints the sentence and exits with status 1."""


class Reported(Exception):  # noqa: N818 - the error itself was told by another process
    """A process of the run has failed and said why; the command line only exits with its status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"A process of the run ended with status {status}.")
        self.status = status


class FoundSomething(Reported):
    """An audit found something, and has said so; the command line only exits with status 4."""

    def __init__(self) -> None:
        super().__init__(4)


class Interrupted(BaseException):
    """A signal stopped the process; the message says how to continue, or is empty where that is not known yet.

    It is no Exception, as libraries catch those that they do not know.
    """

    def __init__(self, signal_number: int, message: str = "", *, is_told: bool = False) -> None:
        super().__init__(message)
        self.signal_number, self.is_told = signal_number, is_told
        """The signal, and whether another process has said how to continue."""
