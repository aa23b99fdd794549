"""docs/records.md, made from the declarations; `python -m bert.records` prints it."""

from bert.records.kinds import KINDS, SIZES, Feature, RecordKind

_INTRODUCTION = """\
# Records

The files between the commands are uncompressed TFRecord files of `tf.train.Example`. Every kind of record is declared
once, in `bert/records/kinds.py`; the writer, the parser, the check of a file and this page (`python -m bert.records`
prints it) follow the declaration. Equal rows are equal bytes: the features of a record are sorted by name.
"""


def describe() -> str:
    """The whole page, Markdown."""
    sizes = "\n".join(f"| {letter} | {origin} |" for letter, origin in SIZES.items())
    tables = "\n".join(f"\n## {_title(kind)}\n\n{_table(kind)}" for kind in KINDS)
    return f"{_INTRODUCTION}\n| size | set by |\n|---|---|\n{sizes}\n{tables}\n"


def _title(kind: RecordKind) -> str:
    return kind.name[0].upper() + kind.name[1:]


def _table(kind: RecordKind) -> str:
    lines = ["| feature | values | type | range | meaning |", "|---|---|---|---|---|"]
    for feature in kind.features:
        kind_of_number = "float" if feature.is_float else "int64"
        lines.append(
            f"| `{feature.name}` | {feature.length} | {kind_of_number} | {_range(feature)} | {feature.meaning} |"
        )
    return "\n".join(lines)


def _range(feature: Feature) -> str:
    if feature.is_float:
        return "any"
    last = feature.limit - 1 if isinstance(feature.limit, int) else f"{feature.limit} - 1"
    return f"0 to {last}"
