"""The output folder of a run: whose run it is, its checkpoints, and where everything else in it lies.

run.json says whose: the command, the model's sizes, the vocabulary, the labels... the settings of the training, which
are those of the model, and the settings of the last command, whatever that did. A folder that holds another run is
refused. labels.json says what the numbers of a trained model mean.
"""

import contextlib
import dataclasses
import json
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

from bert import distribution, files
from bert.checkpoint import CheckpointFolder
from bert.errors import InputError, shown
from bert.options import Dataclass
from bert.tasks import labels_file

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"
_LONGEST = 300  # characters of a value in a message: two lists of labels may differ late
_SETTINGS = {"vocab_file?": (str, None), "do_lower_case?": bool, "max_seq_length?": int, "do_train?": bool}
_RUN_SCHEMA = {
    "command?": str,
    "config?": dict,
    "settings?": _SETTINGS,
    "trained_with?": _SETTINGS,
    "task?": str,
    "labels?": [str],
    "label_kind?": str,
    "vocab_sha256?": str,
    "do_lower_case?": bool,
    "dev_fraction?": float,
    "dev_seed?": int,
    "plan?": dict,
}


class RunFolder:
    """A run's folder.

    Attributes:
      path: the folder.
      own_path: where this process may write: the folder itself for the chief, one to forget for other workers.
      checkpoints, best: the rotating checkpoints, and the best one by the evaluations on the way.
    """

    def __init__(self, path: str, is_chief: bool = True) -> None:
        self.path, self.is_chief = path, is_chief
        self.own_path = path if is_chief else distribution.folder_to_forget()
        self.checkpoints = CheckpointFolder(path)
        self.best = CheckpointFolder(os.path.join(path, "best"), kept=1)

    def file(self, name: str) -> str:
        return os.path.join(self.path, name)

    def own_file(self, name: str) -> str:
        """Where this process writes a file of that name."""
        return os.path.join(self.own_path, name)

    def check_owner(self, identity: Mapping[str, object]) -> None:
        """Raises InputError, with both values, if run.json tells of another run than `identity`."""
        stored, ours = _flat(self.content()), _flat(json.loads(json.dumps(identity)))
        for name in (name for name in ours if name in stored and stored[name] != ours[name]):
            raise InputError(
                f"`output_dir`={self.path} holds another run: its {name} is {shown(stored[name], _LONGEST)}, this "
                f"run's is {shown(ours[name], _LONGEST)}; choose another folder or delete that one"
            )

    def changes(self, settings: Dataclass) -> dict[str, tuple[object, object]]:
        """The settings that are others than those of the training, or, of a model that was not trained here, of the
        last command: name -> then and now."""
        content = self.content()
        before = trained_with(content) or content.get("settings", {})
        now = dataclasses.asdict(settings)
        return {name: (before[name], now[name]) for name in now if name in before and before[name] != now[name]}

    def log_changes(self, settings: Dataclass) -> None:
        """Says which these are."""
        for name, (before, now) in self.changes(settings).items():
            if not name.startswith("do_"):
                logger.warning("`%s` was %s, now it is %s.", name, before, now)

    @contextlib.contextmanager
    def claimed(self, identity: Mapping[str, object], settings: Dataclass, trains: bool) -> Iterator[None]:
        """Makes the folder, keeps other runs out of it, and writes run.json into it.

        What an earlier command knew and this one does not, such as the dev fraction of the training, stays; so do the
        settings of the training, unless this one `trains`. Raises InputError where another run works here.
        """
        files.make_folder(self.own_path)
        with files.locked_folder(self.own_path):
            before, now = self.content(), dataclasses.asdict(settings)
            training = now if trains else trained_with(before)
            told = {"trained_with": training} if training else {}
            files.write_json(self.own_file(RUN_FILE), {**before, **identity, "settings": now, **told})
            yield

    @property
    def has_labels(self) -> bool:
        """Whether there is a labels.json, which says how the model was trained."""
        return files.exists(self.file(labels_file.LABELS_FILE))

    def write_labels(self, content: Mapping[str, object]) -> None:
        """Writes labels.json."""
        labels_file.write(self.own_path, content)

    def note(self, entries: Mapping[str, object]) -> None:
        """Writes further entries into run.json."""
        files.write_json(self.own_file(RUN_FILE), {**self.content(), **entries})

    def content(self) -> dict:
        """What run.json holds; nothing where there is none. Raises InputError for a damaged one."""
        path = self.file(RUN_FILE)
        if not files.exists(path):
            return {}
        return {**files.checked(files.read_json(path), _RUN_SCHEMA, path)}


def trained_with(content: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the training that made the weights, of the content of a run.json; nothing where none is told.

    Older versions kept the settings of the last command alone, which are these if it trained.
    """
    last = content.get("settings", {})
    return content.get("trained_with", last if last.get("do_train") else {})


def _flat(identity: Mapping[str, object]) -> dict[str, object]:
    """The entries of the config beside the others, so that a message can name the one that differs."""
    config = identity.get("config")
    return {**identity, **(config if isinstance(config, dict) else {}), "config": None}
