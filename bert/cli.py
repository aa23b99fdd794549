"""From the command line to one frozen settings object.

A command declares its flags as the fields of a frozen dataclass, made of the groups of `flags` and its own:

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Settings(flags.TrainingFlags):
        data_dir: str = options.required("Folder with the task's files.")

        def check(self): ...          # raise InputError naming the flag and both values

and `cli.run(Settings, main)` parses a command line and calls `main(settings)`: `bert/__main__.py` does it for the
command that is named, the scripts in the root folder, the examples and the benchmarks each for its own.

Parsing is absl's (`--x`, `--nox`, `--x=true`, `--flagfile`); an unknown flag or a stray argument is an error here.
Nothing in this module imports TensorFlow, so `--help` and a mistyped flag answer at once.
"""

import contextlib
import dataclasses
import difflib
import errno
import logging
import os
import re
import signal
import sys
import textwrap
import threading
import types
import typing
from collections.abc import Callable, Iterator, Sequence

from absl import flags as absl_flags

from bert import garbage, quiet
from bert.errors import InputError, Stopped
from bert.flags import check_finite
from bert.options import Dataclass, Options, is_required

LONGEST_MESSAGE = 2000  # characters of an error

_DEFINE: dict[type, Callable[..., object]] = {
    str: absl_flags.DEFINE_string,
    int: absl_flags.DEFINE_integer,
    float: absl_flags.DEFINE_float,
    bool: absl_flags.DEFINE_bool,
}


def flag_type(settings_class: type[Dataclass], field: dataclasses.Field) -> type:
    """The flag's value type: str, int, float or bool (`str | None` counts as str)."""
    hint = typing.get_type_hints(settings_class)[field.name]
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def parse(settings_class: type[Options], argv: Sequence[str]) -> Options:
    """Turns a command line (program name first) into a settings object and checks it.

    Raises InputError for an unknown flag, a stray argument, a value of the wrong type, a missing
    required flag, whatever `settings_class.check` refuses, and a number that is not finite.
    """
    values = absl_flags.FlagValues()
    fields = dataclasses.fields(settings_class)
    for field in fields:
        default: typing.Any = _no_value(field) if is_required(field) else field.default
        kind = flag_type(settings_class, field)
        if field.metadata["choices"]:
            absl_flags.DEFINE_enum(
                field.name, default, field.metadata["choices"], field.metadata["help"], flag_values=values
            )
        else:
            _DEFINE[kind](field.name, default, field.metadata["help"], flag_values=values)
    try:
        stray = values([argv[0], *_arguments(values, argv[1:])])[1:]
    except absl_flags.UnrecognizedFlagError as error:
        raise InputError(_unknown_flag(error.flagname, [field.name for field in fields])) from None
    except absl_flags.Error as error:
        raise InputError(str(error)) from None
    if stray:
        raise InputError(f"stray argument '{stray[0]}', expected only --flag=value")
    _check_given(fields, values)
    settings = settings_class(**{field.name: values[field.name].value for field in fields})
    if hasattr(settings, "check"):
        settings.check()
    for field in fields:  # behind the checks, which say more
        check_finite(field, getattr(settings, field.name))
    return settings


def _arguments(values: absl_flags.FlagValues, given: Sequence[str]) -> list[str]:
    """What is given, with the lines of flagfiles in their places. Raises InputError where anything is no text."""
    for argument in given:
        check_text(argument)
    try:
        arguments = values.read_flags_from_files(list(given), force_gnu=False)
    except ValueError as error:  # bytes that are no text, or a byte 0 in the name of another flagfile
        named = re.findall(r"--?flagfile(?:=| )(\S+)", " ".join(given))
        raise InputError(f"--flagfile={' or '.join(named)}: expected text, a flag a line: {error}") from None
    for argument in arguments:
        check_text(argument)
    return arguments


def _no_value(field: dataclasses.Field) -> str | None:
    """What a required field has that was not given: "" where that is allowed."""
    return "" if field.metadata["unless"] else None


def _check_given(fields: Sequence[dataclasses.Field], values: absl_flags.FlagValues) -> None:
    missing = [field for field in fields if is_required(field) and values[field.name].value in (None, "")]
    spared = [field for field in missing if field.metadata["unless"] and values[field.metadata["unless"]].value]
    names = [f"--{field.name}" for field in missing if field not in spared]
    if names:
        raise InputError(f"{', '.join(names)} must be given (--help lists all flags)")


def check_text(argument: str) -> None:
    """Raises InputError for an argument with bytes that are no text in this locale: no file name of TensorFlow's, and
    nothing to be written into a JSON file. A byte 0, which a flagfile may hold, is no part of a name either."""
    if "\0" in argument:
        raise InputError(f"{argument!r} has a byte 0, expected text")
    try:
        argument.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            f"{os.fsencode(argument)!r} is no text in {sys.getfilesystemencoding()}, the encoding of this locale; "
            "names in UTF-8 are read everywhere with PYTHONUTF8=1 in the environment"
        ) from None


def _unknown_flag(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"unknown flag --{name}" + (f", did you mean --{close[0]}?" if close else " (--help lists all flags)")


def help_text(settings_class: type[Dataclass], description: str) -> str:
    """The text of --help: what the command does, then every flag with type and default."""
    lines = [description.strip(), "", "Flags:"]
    for field in dataclasses.fields(settings_class):
        kind = "|".join(field.metadata["choices"]) or flag_type(settings_class, field).__name__
        state = "required" if is_required(field) else f"default {field.default}"
        lines.append(f"  --{field.name} ({kind}, {state})")
        lines.extend(
            textwrap.wrap(
                with_flags(field.metadata["help"], settings_class),
                100,
                initial_indent="      ",
                subsequent_indent="      ",
            )
        )
    return "\n".join(lines)


def run(
    settings_class: type[Options], main: Callable[[Options], None], argv: Sequence[str] | None = None
) -> typing.NoReturn:
    """Runs a command: parses the flags, calls `main(settings)`, turns bad input into one line and status 1."""
    argv = sys.argv if argv is None else argv
    open_standard_streams()
    if any(argument in ("--help", "-h", "-help", "--helpfull") for argument in argv[1:]):
        show_help(help_text(settings_class, sys.modules[settings_class.__module__].__doc__ or ""))
    show_log(settings_class)
    with _noted_interrupts() as interrupts:
        try:
            settings = parse(settings_class, argv)
            if hasattr(settings, "prepare"):
                settings.prepare()  # what goes on beside the import, which takes seconds
            import_tensorflow()
            main(settings)
        except Stopped as stopped:
            print(f"stopped: {stopped}; the same command goes on from there", file=sys.stderr)
            sys.exit(128 + stopped.signal_number)
        except KeyboardInterrupt:
            _end_interrupted()
        except Exception as error:
            if interrupts:
                _end_interrupted()
            message = _one_line(error, settings_class)
            if message is None:
                raise
            print(f"error: {with_flags(message, settings_class)}", file=sys.stderr)
            sys.exit(1)
    sys.exit(0)


@contextlib.contextmanager
def _noted_interrupts() -> Iterator[list[int]]:
    """Collects Ctrl-C in the list it gives, besides raising KeyboardInterrupt: TensorFlow swallows some of those while
    it traces a function, and fails of something else."""
    noted: list[int] = []

    def note(number: int, frame: types.FrameType | None) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    is_main = threading.current_thread() is threading.main_thread()  # no other may set a handler
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield noted
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_interrupted() -> typing.NoReturn:
    print("interrupted", file=sys.stderr)
    sys.exit(128 + signal.SIGINT)


def open_standard_streams() -> None:
    """Opens those that the caller has closed (`2>&-`) to nowhere; the next file opened would become one otherwise."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def show_help(text: str) -> typing.NoReturn:
    """Prints the text and ends the process."""
    try:
        with quiet.unread_output():
            print(text)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


def import_tensorflow() -> None:
    """Imports TensorFlow without the lines it writes to stderr at the start; they are shown if it fails. Searches for
    garbage were a sixth of the time."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    with quiet.standard_error_held(), garbage.not_searched(stays="tensorflow" not in sys.modules):
        import tensorflow as tf

        tf.config.list_physical_devices()  # not the logical ones: they would settle the distribution


def with_flags(message: str, settings_class: type[Dataclass]) -> str:
    """A message of the library as a user of the command line reads it: options that are flags as --flags."""
    names = {field.name for field in dataclasses.fields(settings_class)}
    return re.sub(r"`(\w+)`", lambda found: f"--{found[1]}" if found[1] in names else found[0], message)


class _LogFormat(logging.Formatter):
    """The lines as they are, options named as flags."""

    def __init__(self, settings_class: type[Dataclass]) -> None:
        super().__init__("%(message)s")
        self._settings_class = settings_class

    def format(self, record: logging.LogRecord) -> str:
        return with_flags(super().format(record), self._settings_class)


def show_log(settings_class: type[Dataclass]) -> None:
    """Sends the package's log lines to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LogFormat(settings_class))
    logger = logging.getLogger("bert")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _one_line(error: Exception, settings_class: type[Dataclass]) -> str | None:
    """The line to print for an error the user can mend, None for one that is ours."""
    if isinstance(error, InputError):
        return _cut(" ".join(str(error).split("\n")))
    tf_errors = sys.modules["tensorflow"].errors if "tensorflow" in sys.modules else None
    if tf_errors and isinstance(error, tf_errors.ResourceExhaustedError):
        if any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT)):
            return str(error)  # TensorFlow calls a full disk so too
        return _out_of_memory(settings_class)
    if tf_errors and isinstance(error, tf_errors.UnavailableError):
        return (
            "another worker is gone; start the same command on every worker again, it goes on from the last checkpoint"
        )
    if isinstance(error, OSError):  # a full disk, a read-only folder, a file that is no longer there
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if isinstance(error, MemoryError):
        return _out_of_memory(settings_class)
    return None


def _cut(message: str) -> str:
    """A message that quotes a file without end, without its middle: nobody reads a megabyte for one line."""
    if len(message) <= LONGEST_MESSAGE:
        return message
    half = LONGEST_MESSAGE // 2 - 50
    return f"{message[:half]} ... [{len(message) - 2 * half} characters] ... {message[-half:]}"


def _out_of_memory(settings_class: type[Dataclass]) -> str:
    """What is said of it: the flags that help, as far as the command has them."""
    known = {field.name for field in dataclasses.fields(settings_class)}
    advice = {
        "lower": ("train_batch_size", "batch_size", "max_seq_length"),
        "give": ("gradient_accumulation_steps", "recompute", "mixed_precision"),
    }
    values = {"mixed_precision": "=bfloat16"}
    found = []
    for verb, names in advice.items():
        if flags := [f"--{name}{values.get(name, '')}" for name in names if name in known]:
            found.append(f"{verb} {', '.join(flags[:-1])}{' or ' if flags[:-1] else ''}{flags[-1]}")
    return "out of memory" + (f": {', or '.join(found)}" if found else "")
