"""`bert COMMAND --flag=value ...`, which is also `python -m bert COMMAND ...`.

A command is a module of `bert.commands` with `Settings` and `main`; its name is the module's. Nothing is listed here,
so a new module is a new command. TensorFlow is imported by the command that runs, not on the way to it.
"""

import difflib
import importlib
import pkgutil
import re
import sys
import types
import typing
from collections.abc import Sequence

from bert import __version__, cli, commands
from bert.errors import InputError


def command_names() -> list[str]:
    """The names of the commands, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))


def overview() -> str:
    """What `bert` alone prints: how to call it, and every command with the first sentence of its docstring."""
    names = command_names()
    width = max(map(len, names))
    lines = [f"  {name:<{width}}  {first_sentence(_module(name).__doc__ or '')}" for name in names]
    usage = ["usage: bert COMMAND --flag=value ...", "       bert COMMAND --help     all flags of a command"]
    return "\n".join([*usage, "       bert --version", "", "Commands:", *lines])


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, on one line. A point inside a word or a number (SQuAD 1.1) ends none."""
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) ", paragraph, maxsplit=1)[0]


def find_command(name: str) -> types.ModuleType:
    """The module of a command; raises InputError, which names the nearest command, if there is none."""
    names = command_names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        advice = f", did you mean {close[0]}?" if close else " (bert --help lists all commands)"
        raise InputError(f"unknown command '{name}'{advice}")
    return _module(name)


def _module(name: str) -> types.ModuleType:
    return importlib.import_module(f"{commands.__name__}.{name}")


def main(argv: Sequence[str] | None = None) -> typing.NoReturn:
    """Runs `bert` with a command line (program name first, `sys.argv` if not given) and ends the process."""
    _, *arguments = sys.argv if argv is None else argv
    cli.open_standard_streams()
    if not arguments or arguments[0] in ("--help", "-h", "-help"):
        cli.show_help(overview())
    if arguments[0] in ("--version", "-version"):
        cli.show_help(f"bert {__version__}")
    name, *flags = arguments
    try:
        command = find_command(name)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    cli.run(command.Settings, command.main, [f"bert {name}", *flags])


if __name__ == "__main__":
    main()
