"""The tokenizer's files: `tokenizer.json` of the package tokenizers and `tokenizer_config.json` of transformers."""

import logging
import os
import re
from collections.abc import Sequence

from bert import files
from bert.errors import InputError
from bert.formats import TOKENIZER_FILE

logger = logging.getLogger(__name__)

CONFIG_FILE = "tokenizer_config.json"
_ADDED_SCHEMA = {"added_tokens": [{"content": str, "id": int}]}
_SPECIAL = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}


def read_tokens(path: str) -> list[str]:
    """The vocabulary of a `tokenizer.json`, in id order. Raises InputError where it is no WordPiece vocabulary."""
    content = files.read_json(path)
    model = content.get("model")
    if not isinstance(model, dict) or model.get("type") != "WordPiece" or not isinstance(model.get("vocab"), dict):
        raise InputError(f"{path}: the model is no WordPiece with a vocabulary, expected the tokenizer of a BERT")
    ids = dict(model["vocab"])
    added = files.checked({"added_tokens": content.get("added_tokens") or []}, _ADDED_SCHEMA, path)["added_tokens"]
    ids |= {token["content"]: token["id"] for token in added}
    odd = next((token for token, index in ids.items() if type(index) is not int), None)
    if odd is not None:
        raise InputError(f"{path}: the id of {odd!r} is {ids[odd]!r}, expected a whole number")
    tokens = {index: token for token, index in ids.items()}
    missing = next((index for index in range(len(tokens)) if index not in tokens), None)
    if missing is not None:
        raise InputError(f"{path}: no token has the id {missing}, expected one for each of 0 to {len(tokens) - 1}")
    return [tokens[index] for index in range(len(tokens))]


def read_lower_case(folder: str) -> bool | None:
    """Whether the tokenizer in a folder lower-cases, None where no file of it says so.

    Warns where it does something to the text that the tokenizer here does not.
    """
    path, fast = os.path.join(folder, CONFIG_FILE), os.path.join(folder, TOKENIZER_FILE)
    settings = files.read_json(path) if files.exists(path) else {}
    if "do_lower_case" not in settings and files.exists(fast):
        normalizer = files.read_json(fast).get("normalizer")
        if isinstance(normalizer, dict) and isinstance(normalizer.get("lowercase"), bool):
            settings = {**normalizer, **settings, "do_lower_case": normalizer["lowercase"]}
    lower_case = settings.get("do_lower_case")
    if not isinstance(lower_case, bool):
        return None
    accents = settings.get("strip_accents")
    if accents is not None and accents != lower_case:
        logger.warning("%s: strip_accents is %s, but here accents go exactly with lower-casing.", folder, accents)
    if not settings.get("tokenize_chinese_chars", settings.get("handle_chinese_chars", True)):
        logger.warning("%s: Chinese characters stay together there, here each is a word.", folder)
    return lower_case


def check_lower_case(do_lower_case: bool, vocab_file: str) -> None:
    """Raises InputError where the folder of the vocabulary says that its tokenizer does otherwise."""
    folder = vocab_file if files.is_folder(vocab_file) else os.path.dirname(vocab_file)
    told = read_lower_case(folder)
    if told is not None and told != do_lower_case:
        raise InputError(
            f"`do_lower_case` is {do_lower_case}, but {os.path.join(folder, CONFIG_FILE)} says {told}; "
            f"give `do_lower_case`={told}"
        )


def is_lower_cased(tokens: Sequence[str]) -> bool:
    """Whether a vocabulary is that of a lower-cased model: no word in it has a capital from A to Z."""
    return not any(re.fullmatch(r"(##)?[a-z]*[A-Z][A-Za-z]*", token) for token in tokens)


def write(folder: str, tokens: Sequence[str], do_lower_case: bool, max_length: int, max_word_characters: int) -> None:
    """Writes both files. `max_length` is the number of positions of the model; a word of more than
    `max_word_characters` is unknown."""
    ids = {token: index for index, token in enumerate(tokens)}
    pad = _SPECIAL["pad_token"] if _SPECIAL["pad_token"] in ids else tokens[0]  # 0 fills a row, whatever it is called
    special = {**_SPECIAL, "pad_token": pad}
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": do_lower_case,
        "tokenize_chinese_chars": True,
        "strip_accents": None,
        "model_max_length": max_length,
        **special,
    }
    files.write_json(os.path.join(folder, CONFIG_FILE), settings)
    added = sorted(set(special.values()), key=ids.__getitem__)
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(token, ids[token]) for token in added],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": do_lower_case,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": _template(ids),
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": max_word_characters,
            "vocab": ids,
        },
    }
    files.write_json(os.path.join(folder, TOKENIZER_FILE), content)


def _added(token: str, index: int) -> dict:
    """A token that is found in a text before anything is split."""
    traits = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": index, "content": token, **traits, "special": True}


def _template(ids: dict[str, int]) -> dict:
    """[CLS] A [SEP], and for pairs B [SEP] of the second segment."""

    def special(token: str, segment: int) -> dict:
        return {"SpecialToken": {"id": token, "type_id": segment}}

    single = [special("[CLS]", 0), {"Sequence": {"id": "A", "type_id": 0}}, special("[SEP]", 0)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}, special("[SEP]", 1)],
        "special_tokens": {
            token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in ("[CLS]", "[SEP]")
        },
    }
