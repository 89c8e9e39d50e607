"""An exception that passes through Hydra unchanged."""


class StageError(BaseException):
    """Carries an error of a stage through Hydra to the command line.

    It is not an ``Exception``, because Hydra turns exceptions of callbacks into warnings and prints its own line about
    those of jobs.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error
