"""Files made to do harm: what no accident makes, and somebody might."""

import json
import os
import pathlib
import random
import struct
from collections.abc import Callable

from bert.records.frames import frame
from tests.campaign import children, verdicts
from tests.campaign.attacks.attack import Attack
from tests.campaign.base import OUTPUT, Target

_DEPTH, _DIGITS, _GIANT_LINE = 100_000, 5_000, 40_000_000
Spoil = Callable[[pathlib.Path], None]


def _deep(path: pathlib.Path) -> None:
    path.write_text("[" * _DEPTH)


def _deep_objects(path: pathlib.Path) -> None:
    path.write_text('{"a":' * _DEPTH + "1" + "}" * _DEPTH)


def _digits(path: pathlib.Path) -> None:
    path.write_text('{"version": "1", "text": ' + "9" * _DIGITS + "}")


def _giant_line(path: pathlib.Path) -> None:
    path.write_text("word " * (_GIANT_LINE // 5))


def _zeros(path: pathlib.Path) -> None:
    path.write_bytes(bytes(1_000_000))


def _pipe(path: pathlib.Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _circle(path: pathlib.Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _nowhere(path: pathlib.Path) -> None:
    path.unlink()
    path.symlink_to("not-there")


def _folder(path: pathlib.Path) -> None:
    path.unlink()
    path.mkdir()


def _unreadable(path: pathlib.Path) -> None:
    path.chmod(0)


def _length(length: int) -> Spoil:
    """A record that claims to be longer than anything, with the right checksum of that claim."""
    # The checksum of a length is that of a record's head: taken from a frame whose content has those eight bytes.
    claimed = struct.pack("<Q", length)
    head = claimed + b"".join(frame([claimed]))[-4:]

    def spoil(path: pathlib.Path) -> None:
        path.write_bytes(head + b"some bytes")

    return spoil


def _config(**changes: object) -> Spoil:
    def spoil(path: pathlib.Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return spoil


ANYTHING = (_deep, _deep_objects, _digits, _giant_line, _zeros, _pipe, _circle, _nowhere, _folder, _unreadable)
LENGTHS = {
    f"a length of {name}": _length(size) for name, size in (("2^40", 1 << 40), ("2^60", 1 << 60), ("2^63", 1 << 63))
}
CONFIGS = {
    f"{name} of {str(value)[:12]!r}": _config(**{name: value})
    for name, value in (
        *(("hidden_size", 10**9), ("num_hidden_layers", 10**6), ("vocab_size", 10**12), ("vocab_size", "473")),
        *(("hidden_dropout_prob", 1.0), ("hidden_act", "\ud800"), ("num_attention_heads", 0), ("type_vocab_size", -1)),
    )
}


def _means_for(name: str) -> dict[str, Spoil]:
    found = {spoil.__name__.strip("_").replace("_", " "): spoil for spoil in ANYTHING}
    if name.endswith(".tfrecord"):
        found |= LENGTHS
    if name == "bert_config.json":
        found |= CONFIGS
    return found


class Hostile(Attack):
    """One line that names the file; a pipe is not waited for, and a claim of size is not believed."""

    kind = "hostile files"
    weight = 4

    def attempt(self, generator: random.Random):
        target = self.base.pick(generator)
        name = generator.choice(sorted(target.inputs))
        means = _means_for(name)
        how = generator.choice(sorted(means))
        if how == "unreadable" and not children.can_obey_permissions():
            return self.skipped("root may read everything")
        with self.base.copy(target) as folder:
            means[how](folder / name)
            ended = target.run(folder, obeys_permissions=how == "unreadable")
            # A table or a text may be made of anything; a text of words without an end is told, or read.
            harmless = how in ("giant line", "zeros", "deep", "deep objects", "digits") and not name.endswith("json")
            faults = verdicts.faults(ended, (0, 1) if harmless else (1,), (name, *target.inputs[name]))
            faults += verdicts.leftovers(folder, _before(folder))
            faults += _outputs(target, folder) if ended.status else []
        return self.verdict(f"{target.name}: {name}: {how}", faults, [ended])


def _before(folder: pathlib.Path) -> verdicts.Listing:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _outputs(target: Target, folder: pathlib.Path) -> list[str]:
    """A command that was given nonsense makes no weights and no records under their final name."""
    made = [path.name for path in (folder / OUTPUT).rglob("*") if path.suffix == ".index" or path.suffix == ".tfrecord"]
    # Shards before the damage, and training before the file that predictions are made of, are work well done.
    return [] if target.name == "streaming" or target.trains else [f"made nevertheless: {name}" for name in made]
