"""The one error a user can mend: something is wrong with a file, a line of it, or a flag."""


class InputError(ValueError):
    """Bad input, told in one line: what is wrong, where, what was found and what was expected.

    The commands print the message without a traceback and leave with exit status 1. Library users
    catch it like any `ValueError`.
    """
