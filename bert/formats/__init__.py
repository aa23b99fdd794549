"""Model folders of other programs, in and out: those of Hugging Face transformers and of sentence-transformers.

Everything here speaks Google's names on one side and theirs on the other, and knows no model: `bert.config` reads
configs through it, `bert.tokenization` vocabularies, `bert.checkpoint` weights. A folder may stand wherever one of its
files is asked for.
"""

import os

from bert import files

KINDS = GOOGLE, HUGGINGFACE, SENTENCE_TRANSFORMERS = ("google", "huggingface", "sentence-transformers")
CONFIG_FILE, GOOGLE_CONFIG_FILE = "config.json", "bert_config.json"
VOCAB_FILE = "vocab.txt"
TOKENIZER_FILE = "tokenizer.json"


def config_file(path: str) -> str:
    """The config in the folder `path`, Hugging Face's or Google's; a path that is no folder is itself."""
    return _in_folder(path, (CONFIG_FILE, GOOGLE_CONFIG_FILE))


def vocab_file(path: str) -> str:
    """The vocabulary in the folder `path`; a path that is no folder is itself."""
    return _in_folder(path, (VOCAB_FILE, TOKENIZER_FILE))


def _in_folder(path: str, names: tuple[str, ...]) -> str:
    if not files.is_folder(path):
        return path
    paths = [os.path.join(path, name) for name in names]
    return next((found for found in paths if files.exists(found)), paths[0])
