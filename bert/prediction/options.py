"""How rows are read and answers chosen: as the folder says, unless asked otherwise."""

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from bert.errors import InputError, shown
from bert.flags import check_finite
from bert.options import Options

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def settle(kind: type[Options], stored: Mapping[str, Any], given: Mapping[str, Any]) -> Options:
    """The options of `kind`: what is `given`, else what is `stored` with the model, else the defaults.

    A given None counts as not given. Raises InputError for a name that `kind` does not have and for a value of
    another type than the default, none of the choices, or a number that is not finite.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = next((name for name in given if name not in fields), None)
    if unknown is not None:
        known = ", ".join(fields) or "none"
        raise InputError(f"`{unknown}` is no option of this kind of model, expected some of: {known}")
    values = {name: stored[name] for name in fields if stored.get(name) is not None}
    values |= {name: value for name, value in given.items() if value is not None}
    return kind(**{name: _checked(fields[name], value) for name, value in values.items()})


def _checked(field: dataclasses.Field, value: object) -> object:
    kind, choices = type(field.default), field.metadata["choices"]
    if kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        value = float(value)
    if type(value) is not kind:
        raise InputError(f"`{field.name}` is {shown(value)}, expected {_NAMES[kind]}")
    if choices and value not in choices:
        raise InputError(f"`{field.name}` is {shown(value)}, expected one of {', '.join(choices)}")
    check_finite(field, value)
    return value
