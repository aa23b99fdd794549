"""Writes a small model to start from scratch with, for whom has no checkpoint: vocab.txt and bert_config.json.

    python -m examples.faq.make_small_model --data_dir=examples/faq/intents --output_dir=output/faq-model

The vocabulary is the special tokens and every character of the texts in the folder, so no text has an unknown one. A
character that is a word by itself, as Chinese ones and punctuation are, stands there once; any other, such as a letter
or a digit, twice: plain for the start of a word and with ## for the rest of it. The weights come with training: give no
--init_checkpoint.
"""

import dataclasses
import json
import os
import unicodedata

from bert import cli, files
from bert.config import BertConfig
from bert.errors import InputError
from bert.options import option, required

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ENDINGS = tuple(ending + packed for ending in (".tsv", ".txt", ".csv", ".jsonl", ".json") for packed in ("", ".gz"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    data_dir: str = required(f"Folder of the texts: all its files that end in {', '.join(ENDINGS)}.")
    output_dir: str = required("Folder for vocab.txt and bert_config.json.")
    do_lower_case: bool = option(True, "Lower-case and strip accents, as the same flag of run_classifier.py does.")


def main(settings: Settings) -> None:
    files.check_folder(settings.output_dir, "output_dir")
    vocabulary = [*SPECIAL_TOKENS, *pieces(read_characters(settings))]
    config = BertConfig(len(vocabulary), 128, 4, 4, 512, max_position_embeddings=128, type_vocab_size=2)
    files.make_folder(settings.output_dir)
    files.write_lines(os.path.join(settings.output_dir, "vocab.txt"), vocabulary)
    files.write_text(os.path.join(settings.output_dir, "bert_config.json"), config.to_json())
    print(f"Wrote vocab.txt with {len(vocabulary)} pieces and bert_config.json to {settings.output_dir}")


def read_characters(settings: Settings) -> set[str]:
    """All characters in the files of the folder, as the tokenizer sees them. Raises InputError where it has no file."""
    paths = [path for path in files.matching(os.path.join(settings.data_dir, "*")) if path.endswith(ENDINGS)]
    if not paths:
        raise InputError(f"--data_dir={settings.data_dir}: no file there ends in {', '.join(ENDINGS)}")
    characters: set[str] = set()
    for path in sorted(paths):
        for number, line in enumerate(files.read_lines(path), start=1):
            if path.removesuffix(".gz").endswith((".jsonl", ".json")):
                line = unescaped(line, f"{path}:{number}")
            characters.update(stripped(line) if settings.do_lower_case else line)
    return characters


def unescaped(line: str, place: str) -> str:
    """A line of JSON with every character as itself, where it may stand as \\uXXXX."""
    try:
        return json.dumps(json.loads(line), ensure_ascii=False) if line else line
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON: {error.msg}") from None


def stripped(text: str) -> str:
    """The text in lower case and without accents."""
    return "".join(part for part in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(part) != "Mn")


def pieces(characters: set[str]) -> list[str]:
    """The WordPieces of characters, in the order of Unicode; white space and control characters have none."""
    kept = [character for character in sorted(characters) if unicodedata.category(character)[0] not in "ZC"]
    return kept + [f"##{character}" for character in kept if not is_word(character)]


def is_word(character: str) -> bool:
    """Whether the tokenizer splits the character from its neighbours, as it does with Chinese and punctuation."""
    name = unicodedata.name(character, "")
    return unicodedata.category(character)[0] == "P" or name.startswith(("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH"))


if __name__ == "__main__":
    cli.run(Settings, main)
