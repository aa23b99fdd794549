"""How a command ends before its end: bad input, which the user can mend, or a request to stop."""

import importlib.util


class InputError(ValueError):
    """Bad input, told in one line: what is wrong, where, what was found and what was expected.

    The commands print the message without a traceback and leave with exit status 1. Library users
    catch it like any `ValueError`.
    """


class Stopped(Exception):
    """A run ended early because a signal asked for it; what it had done is saved."""

    def __init__(self, signal_number: int, what: str) -> None:
        super().__init__(what)
        self.signal_number = signal_number


def how_to_install(extra: str) -> str:
    """How an optional part is installed, for the end of a message."""
    return f"(in a checkout: pip install '.[{extra}]', or pip install -r requirements-{extra}.txt)"


def check_installed(what: str, extra: str, *packages: str) -> None:
    """Raises InputError where one of the packages of an extra, which `what` needs, is not there; imports none."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{what} needs {' and '.join(missing)} {how_to_install(extra)}")
