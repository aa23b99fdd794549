"""Seeded damage to every kind of file that the commands read."""

import json
import pathlib
import random
from collections.abc import Callable

from bert.errors import InputError
from tests.campaign import verdicts
from tests.campaign.attacks.attack import Attack, end_faults
from tests.campaign.base import OUTPUT, Target, outcome
from tests.campaign.children import Ended


def _span(content: bytes, generator: random.Random, longest: int = 64) -> tuple[int, int]:
    start = generator.randrange(len(content) + 1)
    return start, min(len(content), start + generator.randint(1, longest))


def cut(content: bytes, generator: random.Random) -> bytes:
    return content[: generator.randrange(len(content) + 1)]


def flip_a_bit(content: bytes, generator: random.Random) -> bytes:
    changed = bytearray(content)
    changed[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    return bytes(changed)


def zero(content: bytes, generator: random.Random) -> bytes:
    start, end = _span(content, generator)
    return content[:start] + bytes(end - start) + content[end:]


def insert(content: bytes, generator: random.Random) -> bytes:
    place = generator.randrange(len(content) + 1)
    return content[:place] + generator.randbytes(generator.randint(1, 40)) + content[place:]


def duplicate(content: bytes, generator: random.Random) -> bytes:
    start, end = _span(content, generator, longest=len(content))
    return content[:end] + content[start:]


def remove(content: bytes, generator: random.Random) -> bytes:
    start, end = _span(content, generator)
    return content[:start] + content[end:]


def swap_lines(content: bytes, generator: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    one, other = generator.randrange(len(lines)), generator.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def no_utf8(content: bytes, generator: random.Random) -> bytes:
    place = generator.randrange(len(content) + 1)
    return content[:place] + generator.choice((b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88")) + content[place:]


def empty(content: bytes, generator: random.Random) -> bytes:
    return b""


def other_type(content: bytes, generator: random.Random) -> bytes:
    """Another type for a value somewhere in JSON or a line of JSON; other content is cut."""
    lines = content.splitlines() if content.count(b"\n{") else [content]
    place = generator.randrange(len(lines))
    try:
        value = json.loads(lines[place])
    except ValueError:
        return cut(content, generator)
    lines[place] = json.dumps(_other(value, generator)).encode()
    return b"\n".join(lines)


def _other(value: object, generator: random.Random) -> object:
    if isinstance(value, dict | list) and value and generator.random() < 0.9:
        changed = dict(value) if isinstance(value, dict) else list(value)
        key = generator.choice(list(value)) if isinstance(value, dict) else generator.randrange(len(value))
        changed[key] = _other(value[key], generator)
        return changed
    wrong = [None, True, 5, -1, 2.5, float("nan"), "x", "", [], {}, [[]], {"a": None}, 10**30]
    return generator.choice([one for one in wrong if type(one) is not type(value)])


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(cut, flip_a_bit, zero, insert, duplicate, remove, swap_lines, no_utf8, empty, other_type),
)


def damage(path: pathlib.Path, generator: random.Random) -> str:
    """Damages a file, and tells how."""
    content = path.read_bytes()
    kind = generator.choice(DAMAGES) if content else insert
    path.write_bytes(kind(content, generator))
    return kind.__name__.replace("_", " ")


class InputCorruption(Attack):
    """What a user gives: the run ends well, or one line names the file, and nothing is half-written."""

    kind = "damaged input"
    weight = 14

    def attempt(self, generator: random.Random):
        target = self.base.pick(generator)
        name = generator.choice(sorted(target.inputs))
        with self.base.copy(target) as folder:
            how = damage(folder / name, generator)
            before = verdicts.listing(folder)
            ended = target.run(folder)
            faults = verdicts.faults(ended, (0, 1), (name, *target.inputs[name]))
            faults += verdicts.leftovers(folder, before) + verdicts.losses(folder, before)
            if ended.status == 0:
                faults += _insane(target, folder)
        return self.verdict(f"{target.name}: {name}: {how}", faults, [ended])


def _insane(target: Target, folder: pathlib.Path) -> list[str]:
    """What the damaged input may not change: which files a run ends with, and that they can be read. Shards may be
    more or fewer, and a run on other numbers of rows may end at another step."""
    try:
        there = {_kind_of(name) for name in outcome(folder / OUTPUT)}
    except (ValueError, KeyError, InputError) as error:
        return [f"exit status 0, but its files cannot be read: {error}"]
    missing = {_kind_of(name) for name in target.undisturbed} - there
    return [f"exit status 0 without {', '.join(sorted(missing))}"] if missing else []


def _kind_of(name: str) -> str:
    return name.rstrip("0123456789") if ".ckpt-" in name else name.split("-0")[0]


_NO_WARNINGS = ("Going on from", "Trained to step", "The best by")  # they name checkpoints that are whole


class StateCorruption(Attack):
    """What a killed run goes on from: it ends as if undisturbed, or the damage is told, and nothing is lost."""

    kind = "damaged run"
    weight = 10

    def attempt(self, generator: random.Random):
        if not any(target.trains for target in self.base.targets.values()):
            return self.skipped("no target that trains")
        target = self.base.pick(generator, lambda one: one.trains)
        # The model and its vocabulary may not become others either, between two starts.
        inputs = [name for name in ("vocab.txt", "bert_config.json") if name in target.inputs]
        pattern = generator.choice([*(f"{OUTPUT}/{state}" for state in target.state), *inputs])
        with self.base.copy(target, halfway=True) as folder:
            path = generator.choice(sorted(folder.glob(pattern)))
            how, before = damage(path, generator), verdicts.listing(folder)
            ended = target.run(folder)
            name = path.relative_to(folder).as_posix()
            faults = self._faults(target, folder, name, ended, before)
        return self.verdict(f"{target.name}: {name}: {how}", faults, [ended])

    def _faults(self, target: Target, folder: pathlib.Path, name: str, ended: Ended, before: verdicts.Listing):
        prefix = name.removesuffix(".index").split(".data-")[0]
        others = target.inputs.get(name, ()) if OUTPUT not in name else ()
        # Where it is another run that the file tells of, the message is about the folder.
        others += ("--output_dir",) if name.endswith((".json", ".txt")) else ()
        found = verdicts.faults(ended, (0, 1), (name.removeprefix(f"{OUTPUT}/"), prefix, *others))
        if ended.status != 0:
            return found + verdicts.leftovers(folder, before) + verdicts.losses(folder, before, name)
        other = end_faults(target, folder)
        lines = [line for line in ended.stderr.splitlines() if not line.startswith(_NO_WARNINGS)]
        told = any(part in line for line in lines for part in (name, prefix))
        return found + [f"{fault} (in silence)" for fault in other if not told]
