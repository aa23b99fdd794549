"""The output folder of a run: whose run it is, its checkpoints, and where everything else in it lies.

run.json says whose: the command, the model's sizes, the vocabulary, the labels... and with which settings it was last
started. A folder that holds another run is refused. labels.json says what the numbers of a trained model mean.
"""

import dataclasses
import json
import logging
import os
from collections.abc import Mapping

from bert import distribution, files
from bert.checkpoint import CheckpointFolder
from bert.errors import InputError
from bert.options import Dataclass

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"
LABELS_FILE = "labels.json"


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
        stored, ours = _flat(self._stored()), _flat(json.loads(json.dumps(identity)))
        for name in (name for name in ours if name in stored and stored[name] != ours[name]):
            raise InputError(
                f"`output_dir`={self.path} holds another run: its {name} is {_brief(stored[name])}, this run's is "
                f"{_brief(ours[name])}; choose another folder or delete that one"
            )

    def log_changes(self, settings: Dataclass) -> None:
        """Says which settings are others than those that the run was last started with."""
        before = self._stored().get("settings", {})
        for name, value in dataclasses.asdict(settings).items():
            if name in before and before[name] != value and not name.startswith("do_"):
                logger.warning("`%s` was %s, now it is %s.", name, before[name], value)

    def claim(self, identity: Mapping[str, object], settings: Dataclass) -> None:
        """Makes the folder, and writes run.json into it.

        What an earlier command knew and this one does not, such as the dev fraction of the training, stays.
        """
        files.make_folder(self.own_path)
        content = {**self._stored(), **identity, "settings": dataclasses.asdict(settings)}
        files.write_json(self.own_file(RUN_FILE), content)

    def write_labels(self, content: Mapping[str, object]) -> None:
        """Writes labels.json."""
        files.write_json(self.own_file(LABELS_FILE), content)

    def _stored(self) -> dict:
        path = self.file(RUN_FILE)
        return files.read_json(path) if files.exists(path) else {}


def _flat(identity: Mapping[str, object]) -> dict[str, object]:
    """The entries of the config beside the others, so that a message can name the one that differs."""
    config = identity.get("config")
    return {**identity, **(config if isinstance(config, dict) else {}), "config": None}


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + "..."
