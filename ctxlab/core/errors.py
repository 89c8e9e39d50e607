"""The one exception that stands for a mistake a person can make and mend."""


class UserError(Exception):
    """One sentence that names the value, the place and the fix.

    The command line prints it without a traceback and exits with status 2.
    """
