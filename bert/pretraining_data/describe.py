"""The side-car of pre-training records: how they were made."""

import dataclasses
import hashlib
from collections.abc import Sequence

import bert
from bert import files
from bert.pretraining_data.options import Options
from bert.pretraining_data.report import Counts
from bert.tokenization import Vocabulary

_NAMES_LISTED = 10


def side_car_values(
    options: Options, vocabulary: Vocabulary, input_paths: Sequence[str], records: int | None, counts: Counts
) -> dict:
    """What stands in the side-car of one record file.

    Args:
      records: how many records the file holds, if that is known.
      counts: of the whole corpus, or of the part that the file was made of.
    """
    return {
        "kind": "pre-training",
        "version": bert.__version__,
        "max_seq_length": options.max_seq_length,
        "max_predictions_per_seq": options.max_predictions_per_seq,
        "do_lower_case": options.do_lower_case,
        "vocab_size": len(vocabulary),
        "vocab_sha256": vocabulary.sha256,
        "masking": _masking(options, vocabulary),
        "records": records,
        "counts": dataclasses.asdict(counts),
        "inputs": _inputs(input_paths),
        "flags": dataclasses.asdict(options),
    }


def _masking(options: Options, vocabulary: Vocabulary) -> dict:
    """What it takes to mask the records anew (`dynamic_masking`)."""
    return {
        "masked_lm_prob": options.masked_lm_prob,
        "do_whole_word_mask": options.do_whole_word_mask,
        "write_word_starts": options.write_word_starts,
        "cls_id": vocabulary.cls_id,
        "sep_id": vocabulary.sep_id,
        "mask_id": vocabulary.mask_id,
        # never a random word: the token stands in a later line again (docs/parity.md 6.1)
        "repeated_ids": sorted(set(range(len(vocabulary))) - set(vocabulary.ids.values())),
    }


def _inputs(paths: Sequence[str]) -> dict:
    """Which text it was; names and sizes make the hash, so that an exchanged file is noticed."""
    sizes = [files.size(path) for path in paths]
    listing = "".join(f"{path} {size}\n" for path, size in zip(paths, sizes, strict=True))
    return {
        "files": len(paths),
        "bytes": sum(sizes),
        "first": list(paths[:_NAMES_LISTED]),
        "sha256_of_names_and_sizes": hashlib.sha256(listing.encode("utf-8", "surrogatepass")).hexdigest(),
    }
