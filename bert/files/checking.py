"""What a JSON file of ours must look like, said once and declared, not programmed."""

import sys
from collections.abc import Mapping

from bert.errors import InputError, shown


class Measured:
    """In a schema: a number that was measured, NaN and infinity included."""


_NAMES: dict[object, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    Measured: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    None: "null",
}


def checked(values: Mapping, schema: Mapping[str, object], where: str) -> Mapping:
    """Returns the values if they are as the schema says.

    A schema is key -> type (str, int, float, Measured, bool, list, dict, None), several of them in a tuple, `[type]`
    for a list of such, or another schema for an object within. A key that ends in `?` may be missing; other keys than
    the schema's may hold anything. A whole number is a float too; true and false are no numbers, nor, but for what was
    measured, are NaN and infinity.
    Raises InputError, opening with `where`, that names the key, what was found and what is expected.
    """
    _check_object(values, schema, where, "")
    return values


def _check_object(values: Mapping, schema: Mapping, where: str, prefix: str) -> None:
    for key, expected in schema.items():
        name = key.removesuffix("?")
        if name in values:
            _check(values[name], expected, where, prefix + name)
        elif name == key:
            raise InputError(f"{where}: has no '{prefix}{name}', expected {_described(expected)}")


def _check(value: object, expected: object, where: str, name: str) -> None:
    if isinstance(expected, Mapping) and isinstance(value, dict):
        _check_object(value, expected, where, f"{name}.")
    elif isinstance(expected, list) and isinstance(value, list):
        for number, item in enumerate(value):
            _check(item, expected[0], where, f"{name}[{number}]")
    elif not _is(value, expected):
        raise InputError(f"{where}: '{name}' is {shown(value)}, expected {_described(expected)}")


def _is(value: object, expected: object) -> bool:
    if isinstance(expected, tuple):
        return any(_is(value, one) for one in expected)
    if expected is None:
        return value is None
    if expected is Measured:
        return type(value) in (int, float)
    if expected is float:  # one of thousands of digits is none either
        return isinstance(value, int | float) and type(value) is not bool and abs(value) <= sys.float_info.max
    return isinstance(expected, type) and type(value) is expected


def _described(expected: object) -> str:
    if isinstance(expected, tuple):
        return " or ".join(map(_described, expected))
    if isinstance(expected, list):
        return f"a list, each {_described(expected[0])}"
    return _NAMES[dict if isinstance(expected, Mapping) else expected]
