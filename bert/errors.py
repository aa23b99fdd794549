"""How a command ends before its end: bad input, which the user can mend, or a request to stop; values in messages."""

import importlib.util
import json

SHOWN = 60  # characters of a value that a message shows


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


def shortened(text: str, most: int = SHOWN) -> str:
    """The text for a message, at most so many characters of it."""
    return text if len(text) <= most else f"{text[:most]}..."


def quoted(value: object) -> str:
    """A value for a message, shortened, in quotation marks."""
    return f"'{shortened(str(value))}'"


def shown(value: object, most: int = SHOWN) -> str:
    """A value for a message, as JSON where it is some, with its type where that is not seen; at most so many
    characters."""
    try:
        text, kind = json.dumps(value, ensure_ascii=False), ""
    except (TypeError, ValueError):
        text, kind = repr(value), f" ({type(value).__name__})"
    return shortened(text, most) + kind


def how_to_install(extra: str) -> str:
    """How an optional part is installed, for the end of a message."""
    return f"(in a checkout: pip install '.[{extra}]', or pip install -r requirements-{extra}.txt)"


def check_installed(what: str, extra: str, *packages: str) -> None:
    """Raises InputError where one of the packages of an extra, which `what` needs, is not there; imports none."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{what} needs {' and '.join(missing)} {how_to_install(extra)}")
