"""Every command line of the documents and docstrings: its flags exist, values can be theirs, none that is needed lacks.

A value with `$`, `...` or `*` is the reader's to fill in, and `...` on a line stands for the flags left out. What is
mentioned in a sentence need not be whole.
"""

import ast
import dataclasses
import importlib
import pathlib
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from bert import __main__ as front
from bert import cli
from bert.options import is_required

ROOT = pathlib.Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "SECURITY.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/README.md")]
DOCSTRINGS = [*ROOT.glob("bert/commands/*.py"), *ROOT.glob("benchmarks/*.py"), *ROOT.glob("examples/**/*.py")]
PLACES = sorted(path.relative_to(ROOT).as_posix() for path in [*DOCUMENTS, *DOCSTRINGS] if path.stem != "__init__")
COMMAND = re.compile(
    r"(?:(?<![\w/.-])bert|python(?: -m bert)?) (?P<name>[a-z]\w+)(?:\.py)?(?= |$)(?P<rest>.*)"
    r"|python -m (?P<module>(?:benchmarks|examples)\.[\w.]+)(?= |$)(?P<others>.*)"
)
BLOCK = re.compile(r"^```[\s\S]*?^```|(?:^(?: {4,}|\t).*\n?)+", re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
OPEN = re.compile(r"[$*]|\.\.\.")  # in a value that the reader has to fill in


class Line(NamedTuple):
    """A command line as it is written. `is_whole`: it can be typed as it stands."""

    name: str
    arguments: list[str]
    is_whole: bool


def lines_of(path: pathlib.Path) -> Iterator[Line]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = ast.get_docstring(ast.parse(text)) or ""
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            yield from commands_in(line, is_whole=True)
    for span in SPAN.findall(BLOCK.sub("", text)):
        yield from commands_in(" ".join(span.split()), is_whole=False)


def commands_in(line: str, is_whole: bool) -> Iterator[Line]:
    for found in COMMAND.finditer(line):
        rest = found["rest"] or found["others"] or ""
        words = shlex.split(re.split(r" [|>&]|;", rest)[0], comments=True)
        can_be_typed = is_whole and not {"--help", "..."} & set(words)
        yield Line(found["name"] or found["module"], words, can_be_typed)


def settings_class(name: str) -> type | None:
    """The settings of a command or module; None of a module that has none. Raises InputError for no command."""
    if "." not in name:
        return front.find_command(name).Settings
    return getattr(importlib.import_module(name), "Settings", None)


def faults(line: Line, settings: type) -> Iterator[str]:
    """What is wrong with a command line."""
    fields = {field.name: field for field in dataclasses.fields(settings)}
    given = {}
    for flag in (word for word in line.arguments if word.startswith("-") and word != "--help"):
        name, equals, value = flag.lstrip("-").partition("=")
        name = name.removeprefix("no") if name not in fields else name
        given[name] = value
        if name not in fields:
            yield f"has no --{name}"
        elif equals and not OPEN.search(value):
            yield from value_faults(name, value, fields[name], settings)
    if line.is_whole:
        for name, field in fields.items():
            if is_required(field) and name not in given and field.metadata.get("unless") not in given:
                yield f"lacks --{name}"


def value_faults(name: str, value: str, field: dataclasses.Field, settings: type) -> Iterator[str]:
    choices, kind = field.metadata["choices"], cli.flag_type(settings, field)
    if choices and not set(value.split("|")) <= set(choices):
        yield f"--{name}={value}, which is none of {', '.join(choices)}"
    if kind is bool and value.lower() not in ("true", "false", "1", "0"):
        yield f"--{name}={value}, expected true or false"
    if kind in (int, float) and not re.fullmatch(r"[A-Z_]+|-?[\d.]+(e-?\d+)?", value):
        yield f"--{name}={value}, expected a number"


@pytest.mark.parametrize("place", PLACES)
def test_commands_can_be_typed_as_they_are_written(place):
    found = []
    for line in lines_of(ROOT / place):
        if not any(word.startswith("--") for word in line.arguments):
            continue  # a mention, or `from bert import ...`
        if settings := settings_class(line.name):
            found += [f"{line.name} {fault}: {' '.join(line.arguments)}" for fault in faults(line, settings)]
    assert not found, "\n".join(found)


def test_the_commands_of_the_readme_are_found():
    names = {line.name for line in lines_of(ROOT / "README.md") if line.is_whole}
    assert {"create_pretraining_data", "run_pretraining", "run_classifier", "run_squad", "extract_features"} <= names


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--model_dir=a --output_format=json", []),
        ("--model_dir=a --output_format=jsonl", ["--output_format=jsonl, which is none of text, json"]),
        ("--output_format=$FORMAT", ["lacks --model_dir"]),
        ("--output_format=text ...", []),
        ("--model_dir=a --novectors --top_k=3 --treshold=0.5", ["has no --treshold"]),
        ("--model_dir=a --top_k=three", ["--top_k=three, expected a number"]),
        ("--help", []),
    ],
)
def test_faults_are_found(arguments, expected):
    (line,) = commands_in(f"bert predict {arguments}  # and so on", is_whole=True)
    assert list(faults(line, settings_class("predict"))) == expected
