"""What is attacked: targets, copies of them to spoil, and what a run came to."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import pickle
import random
import re
import shutil
import time
from collections.abc import Callable

import numpy as np

from bert import checkpoint
from bert.retrieval import index
from tests.campaign import children
from tests.campaign.children import Child, Ended

SECONDS = 180  # the longest any tiny command may take, on a busy machine
OUTPUT = "out"
_OUTPUT_FLAGS = ("output_dir", "export_dir", "output_file")
# What tells times and places, and what is read in another way: checkpoints, and what belongs to a saved_model.pb.
_NOT_COMPARED = ("run.json", "checkpoint", "tfevents", ".lock", ".ckpt-", "fingerprint.pb", "variables/")


@dataclasses.dataclass(frozen=True)
class Target:
    """A command to attack: its flags, all paths relative to its folder, and the files it reads.

    `inputs` are name -> the other names that a message about it may give; `state` are globs of what a run that was
    killed goes on from; `seed_flag` is None where nothing is drawn; `has_script`: it can be started as a script and
    keeps others out of its output; `makes_folder`: it makes a folder that must be new, so what an earlier run has
    finished is taken away; `undisturbed`, `seconds`: what the base found out.
    """

    name: str
    script: str
    flags: dict[str, object]
    inputs: dict[str, tuple[str, ...]]
    state: tuple[str, ...] = ()
    seed_flag: str | None = "seed"
    has_script: bool = True
    makes_folder: bool = False
    undisturbed: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0

    @property
    def trains(self) -> bool:
        return bool(self.state)

    @property
    def output_flag(self) -> str:
        """The flag that says where the output goes."""
        return next(flag for flag in _OUTPUT_FLAGS if flag in self.flags)

    def arguments(self, **changes: object) -> list[str]:
        return [f"--{name}={value}" for name, value in {**self.flags, **changes}.items()]

    def clear(self, folder: pathlib.Path, **changes: object) -> None:
        """Makes room for another run where one is needed."""
        if self.makes_folder:
            shutil.rmtree(folder / str({**self.flags, **changes}[self.output_flag]), ignore_errors=True)

    def run(self, folder: pathlib.Path, **options) -> Ended:
        self.clear(folder)
        return children.run(self.script, self.arguments(), folder, SECONDS, **options)

    def start(self, folder: pathlib.Path, obeys_permissions: bool = False, **changes: object) -> Child:
        self.clear(folder, **changes)
        return Child(self.script, self.arguments(**changes), folder, obeys_permissions=obeys_permissions)


def outcome(folder: pathlib.Path) -> dict[str, str]:
    """What a run came to: digests of weights, records, predictions and results; not of what tells times and places.

    Raises what reading damaged files raises: a run that ended well has none.
    """
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if any(part in name for part in _NOT_COMPARED) or path.parent.name == index.FOLDER:
            continue
        if path.suffix == ".jsonl":
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            content = repr([(line["step"], line["loss" if "loss" in line else "mrr_at_10"]) for line in lines]).encode()
        elif path.name in ("saved_model.pb", "model.onnx"):
            content = _weights_of_graph(path)
        else:
            content = path.read_bytes()
        found[name] = hashlib.sha256(content).hexdigest()
    for prefix in {_last_checkpoint(place) for place in (folder, folder / "best")} - {None}:
        values = checkpoint.read_values(str(prefix), checkpoint.read_shapes(str(prefix)))
        if not all(np.isfinite(value).all() for value in values.values()):
            raise ValueError(f"{prefix} holds what is no number")
        content = b"".join(name.encode() + values[name].tobytes() for name in sorted(values))
        found[str(prefix.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    if (folder / index.FOLDER).exists():
        found[index.FOLDER] = hashlib.sha256(_content_of_index(folder)).hexdigest()
    return found


def _weights_of_graph(path: pathlib.Path) -> bytes:
    """The numbers in a SavedModel or ONNX, sorted: TensorFlow orders and numbers the parts of a graph by chance."""
    if path.name == "model.onnx":
        import onnx  # slow, and only one target needs it

        return b"".join(sorted(onnx.numpy_helper.to_array(one).tobytes() for one in onnx.load(path).graph.initializer))
    prefix = str(path.parent / "variables" / "variables")
    names = [name for name in checkpoint.read_shapes(prefix) if name.endswith("VARIABLE_VALUE")]
    return b"".join(sorted(value.tobytes() for value in checkpoint.read_values(prefix, names).values()))


def _content_of_index(folder: pathlib.Path) -> bytes:
    """All that is in an index, and the files that it has, but for their number."""
    whole = index.read(str(folder))
    told = (whole.base.questions, whole.base.answer_ids, whole.base.answers, whole.fingerprint, whole.threshold)
    names = sorted(re.sub(r"-\d+", "", path.name) for path in (folder / index.FOLDER).iterdir())
    return repr((*told, whole.kind, names)).encode() + whole.vectors.tobytes()


def _last_checkpoint(folder: pathlib.Path) -> pathlib.Path | None:
    steps = [int(found[1]) for path in folder.glob("*.index") if (found := re.search(r"-(\d+)\.index$", path.name))]
    return folder / f"model.ckpt-{max(steps)}" if steps else None


class Base:
    """The targets by name, in a folder `FOLDER/NAME/fresh`; of those that train, halfway through in `.../halfway`."""

    def __init__(self, folder: pathlib.Path, quick: bool = False):
        """`quick`: always attack the target of those that fit which takes the least time."""
        self.folder, self.quick = folder, quick
        paths = sorted(folder.glob("*/target.pickle"))
        self.targets: dict[str, Target] = {path.parent.name: pickle.loads(path.read_bytes()) for path in paths}

    def pick(self, generator: random.Random, wanted: Callable[[Target], bool] = lambda _: True) -> Target:
        fitting = [target for _, target in sorted(self.targets.items()) if wanted(target)]
        return min(fitting, key=lambda target: target.seconds) if self.quick else generator.choice(fitting)

    @contextlib.contextmanager
    def copy(self, target: Target, halfway: bool = False):
        """A copy to spoil; it is gone afterwards."""
        place = self.folder / "attempts" / f"{os.getpid()}-{time.monotonic_ns()}"
        shutil.copytree(self.folder / target.name / ("halfway" if halfway else "fresh"), place)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)
