"""How an error leaves Hydra's hands untouched."""


class StageError(BaseException):
    """Carries an error to the command line.

    Not an ``Exception``, because Hydra turns those of callbacks into warnings and prints its own line about those of
    jobs.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error
