"""What lies beside the checkpoints of an output folder, so that the folder is a model wherever it is moved."""

import dataclasses
import os
from collections.abc import Callable, Iterator

from bert import files, formats
from bert.config import BertConfig
from bert.errors import InputError
from bert.tokenization import Vocabulary


@dataclasses.dataclass(frozen=True)
class ModelFiles:
    """bert_config.json, and vocab.txt where the vocabulary is known: pre-training knows no more than its hash.

    A file that is there already stays as it is, if it says the same.
    """

    config: BertConfig
    vocabulary: Vocabulary | None = None

    def check(self, folder: str) -> None:
        """Raises InputError where a file of another model lies in the folder: it may be nowhere else."""
        for path, _, problem in self._files(folder):
            if files.exists(path) and (found := problem(path)):
                raise InputError(f"`output_dir`: {path} has {found}; choose another folder, or move the file away")

    def write(self, folder: str) -> None:
        """Writes those that are not there."""
        for path, text, _ in self._files(folder):
            if not files.exists(path):
                files.write_text(path, text)

    def _files(self, folder: str) -> Iterator[tuple[str, str, Callable[[str], str]]]:
        """Path, content, and what says in which way a file there is another model's."""
        yield os.path.join(folder, formats.GOOGLE_CONFIG_FILE), self.config.to_json(), self._other_config
        if self.vocabulary is not None:
            text = "".join(f"{token}\n" for token in self.vocabulary.tokens)
            yield os.path.join(folder, formats.VOCAB_FILE), text, self._other_vocabulary

    def _other_config(self, path: str) -> str:
        same = BertConfig.from_json_file(path).to_dict() == self.config.to_dict()
        return "" if same else "another model than `bert_config_file`"

    def _other_vocabulary(self, path: str) -> str:
        assert self.vocabulary is not None
        same = Vocabulary.from_file(path).sha256 == self.vocabulary.sha256
        return "" if same else f"another vocabulary than `vocab_file`={self.vocabulary.name}"
