"""The side-car of pre-training records: how they were made."""

import dataclasses
from collections.abc import Sequence

import bert
from bert.pretraining_data.options import Options
from bert.pretraining_data.report import Counts
from bert.tokenization import Vocabulary


def side_car_values(
    options: Options, vocabulary: Vocabulary, input_paths: Sequence[str], records: int, counts: Counts
) -> dict:
    """What stands in the side-car of one record file.

    Args:
      records: how many records the file holds.
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
        "records": records,
        "counts": dataclasses.asdict(counts),
        "flags": {"input_file": ",".join(input_paths), **dataclasses.asdict(options)},
    }
