"""Writes weights to start a pre-training from, which know what counting tells of the text.

    python -m examples.chinese.start --input_file=chinese_output/text/train.txt --vocab_file=chinese_output/vocab.txt \\
        --bert_config_file=examples/chinese/bert_config.json --output_dir=chinese_output/start

From random weights a small model spends most of an hour on what can be counted in a minute: how frequent a piece is,
and which are neighbours. Here the masked LM begins with the logarithms of the frequencies, the word embeddings with
what their neighbours have in common, the positions as sinusoids, and the first layer looks at the pieces beside each.
The rest is random as usual, and training changes all of it. run_pretraining takes OUTPUT_DIR/bert_model.ckpt as
--init_checkpoint.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator

from tqdm import tqdm

from bert import cli, files
from bert.config import BertConfig
from bert.errors import InputError
from bert.options import option, required

LINES_AT_ONCE = 50_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    input_file: str = required("Text, a sentence a line, as create_pretraining_data reads it.")
    vocab_file: str = required("Vocabulary.")
    bert_config_file: str = required("Sizes of the model.")
    output_dir: str = required("New folder for bert_model.ckpt.")
    do_lower_case: bool = option(True, "As for the records.")
    seed: int = option(12345, "Of what is drawn at random.")

    def check(self) -> None:
        for name in ("input_file", "vocab_file", "bert_config_file"):
            files.check_readable(getattr(self, name), f"--{name}")


def main(settings: Settings) -> None:
    from bert import checkpoint  # TensorFlow: --help does not wait for it
    from bert.tokenization import Tokenizer, Vocabulary
    from examples.chinese import starting_weights

    config = BertConfig.from_json_file(settings.bert_config_file)
    config.check_is_bert(settings.bert_config_file)
    vocabulary = Vocabulary.from_file(settings.vocab_file)
    if len(vocabulary) != config.vocab_size:
        raise InputError(
            f"--vocab_file has {len(vocabulary)} entries, --bert_config_file a vocab_size of {config.vocab_size}"
        )
    counts = starting_weights.Counts(config.vocab_size)
    tokenizer = Tokenizer(vocabulary, settings.do_lower_case)
    for lines in blocks(settings.input_file):
        counts.add(*tokenizer.encode(lines))
    print(f"Counted {counts.pieces.sum():,.0f} pieces, {counts.neighbours.nnz:,} different pairs of neighbours")
    values = starting_weights.starting_values(config, counts, settings.seed)
    with files.new_folder(settings.output_dir, "output_dir") as folder:
        checkpoint.write_variables(str(pathlib.Path(folder, "bert_model.ckpt")), values)
    print(f"Wrote {settings.output_dir}/bert_model.ckpt")


def blocks(path: str) -> Iterator[list[str]]:
    lines = iter(tqdm(files.read_lines(path), desc="Counting", unit=" lines", mininterval=1.0))
    while block := list(itertools.islice(lines, LINES_AT_ONCE)):
        yield block


if __name__ == "__main__":
    cli.run(Settings, main)
