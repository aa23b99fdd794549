"""Options: the fields of frozen dataclasses, each with its default and its help in one place.

A command's settings are made of such classes, and `cli` makes a flag of each field. The library takes the same classes
as arguments and knows nothing of flags; where one of its messages names an option, the name stands between backticks,
and the command line shows it as the flag that it is.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, TypeVar


class Dataclass(Protocol):
    """An object of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field]]


Options = TypeVar("Options", bound=Dataclass)


# What an option can decide over: the weights of a training; which of its checkpoints is kept as the best, where it is
# evaluated on the way; neither.
WEIGHTS, BEST, NOTHING = "weights", "best", "nothing"


def option(
    default: Any, help: str, choices: Sequence[str] = (), decides: str = WEIGHTS, infinite: Sequence[float] = ()
) -> Any:
    """A field with a default (None: not given); `choices` are the only values it may have. `decides` is one of the
    three above. `infinite` are those of -inf and inf that mean something, of which the help tells."""
    metadata = {"help": help, "choices": tuple(choices), "decides": decides, "infinite": tuple(infinite)}
    return dataclasses.field(default=default, metadata=metadata)


def required(help: str, unless: str = "", decides: str = WEIGHTS) -> Any:
    """A field that must be given, on a command line only where the option `unless` is not. `decides` as of others."""
    return dataclasses.field(
        metadata={"help": help, "choices": (), "unless": unless, "decides": decides, "infinite": ()}
    )


def is_required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING


def part(settings: Dataclass, kind: type[Options]) -> Options:
    """Those options of `settings` that `kind` has, as an object of that class alone."""
    return kind(**{field.name: getattr(settings, field.name) for field in dataclasses.fields(kind)})
