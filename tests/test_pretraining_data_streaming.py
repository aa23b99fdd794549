"""The streaming modes: the same records for any number of workers, after a kill, and on Beam."""

import collections
import dataclasses
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from bert import records, sidecar
from bert.errors import InputError
from bert.pretraining_data import exact, streaming
from bert.pretraining_data.blocks import BlockMaker, group_files, read_blocks
from bert.pretraining_data.options import Options
from bert.pretraining_data.report import Counts
from bert.pretraining_data.shards import ShardWriter, shard_path
from bert.records import parsing
from bert.tokenization import Vocabulary

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="module")
def corpus(golden, tmp_path_factory):
    """A text of 300 documents made of the words of the sample."""
    rng = random.Random(5)
    words = (golden / "sample_text.txt").read_text().split()
    documents = [
        "".join(" ".join(rng.choices(words, k=rng.randint(3, 30))) + "\n" for _ in range(rng.randint(1, 20)))
        for _ in range(300)
    ]
    path = tmp_path_factory.mktemp("corpus") / "text.txt"
    path.write_text("\n".join(documents))
    return path


@pytest.fixture(scope="module")
def options(golden):
    return Options(
        vocab_file=str(golden / "vocab_small.txt"),
        max_seq_length=64,
        max_predictions_per_seq=10,
        dupe_factor=2,
        block_size_mb=0.03,
    )


def files_of(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def stream(corpus, folder, options, num_workers=1, shard_size_mb=0.4):
    folder.mkdir(exist_ok=True)
    return streaming.create([str(corpus)], str(folder / "out.tfrecord"), options, num_workers, shard_size_mb)


@pytest.fixture(scope="module")
def streamed(corpus, options, tmp_path_factory):
    folder = tmp_path_factory.mktemp("streamed")
    return folder, stream(corpus, folder, options)


def read_all(folder):
    return [record for path in sorted(folder.glob("*.tfrecord")) for record in records.read(str(path))]


def test_any_number_of_workers_writes_the_same_files(corpus, options, streamed, tmp_path):
    folder, counts = streamed
    assert stream(corpus, tmp_path / "two", options, num_workers=2) == counts
    assert files_of(tmp_path / "two") == files_of(folder)


def test_shards_are_numbered_described_and_of_the_size_asked_for(streamed):
    folder, counts = streamed
    shards = sorted(folder.glob("*.tfrecord"))
    assert [path.name for path in shards] == [f"out-{number:05d}.tfrecord" for number in range(len(shards))]
    assert len(shards) > 3
    assert all(path.stat().st_size >= 4e5 for path in shards[:-1])
    described = [sidecar.read(str(path)) for path in shards]
    assert [values["records"] for values in described] == [len(list(records.read(str(path)))) for path in shards]
    assert sum(values["records"] for values in described) == counts.instances
    assert [values["shard"]["is_last"] for values in described] == [False] * (len(shards) - 1) + [True]
    assert len(list(folder.iterdir())) == 2 * len(shards)


def test_a_restart_keeps_complete_shards(corpus, options, streamed, tmp_path):
    folder, counts = streamed
    again = tmp_path / "again"
    stream(corpus, again, options)
    kept = again / "out-00000.tfrecord"
    before = kept.stat().st_mtime_ns
    for number in range(1, 9):
        (again / f"out-{number:05d}.tfrecord").unlink(missing_ok=True)
    (again / "out-00001.tfrecord.tmp-0123456789abcdef").write_bytes(b"half")
    assert stream(corpus, again, options) == counts
    assert kept.stat().st_mtime_ns == before
    assert files_of(again) == files_of(folder)
    assert stream(corpus, again, options).instances == counts.instances  # complete: nothing is done
    assert files_of(again) == files_of(folder)


def test_shards_of_another_run_are_refused(corpus, options, streamed):
    folder, _ = streamed
    before = files_of(folder)
    with pytest.raises(InputError, match=r"out-00000\.tfrecord was made with `dupe_factor` 2, now it is 3"):
        stream(corpus, folder, dataclasses.replace(options, dupe_factor=3))
    other = corpus.parent / "other.txt"
    other.write_text("another text\n")
    with pytest.raises(InputError, match=r"was made with input bytes \d+, now it is 13"):
        stream(other, folder, options)
    assert files_of(folder) == before


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(corpus, options, streamed, tmp_path):
    folder, _ = streamed
    argv = [
        *(sys.executable, "create_pretraining_data.py", f"--input_file={corpus}", "--num_workers=2"),
        *(f"--output_file={tmp_path}/out.tfrecord", f"--vocab_file={options.vocab_file}", "--shard_size_mb=0.4"),
        *("--max_seq_length=64", "--max_predictions_per_seq=10", "--dupe_factor=2", "--block_size_mb=0.03"),
    ]
    process = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL)
    first = tmp_path / "out-00000.tfrecord"
    while not first.exists():
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = len(list(tmp_path.glob("*.tfrecord")))
    assert 1 <= finished < len(list(folder.glob("*.tfrecord")))
    wait_until_gone(str(tmp_path))
    before = first.stat().st_mtime_ns
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)
    assert first.stat().st_mtime_ns == before
    assert files_of(tmp_path) == files_of(folder)


def wait_until_gone(mark):
    """The workers of a killed run end by themselves; their standard error is all they have in common with this test."""
    own = str(os.getpid())
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        commands = [
            path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if path.parent.name != own
        ]
        if not any(mark.encode() in text for text in commands):
            return
        time.sleep(0.1)
    raise AssertionError(f"a process of the killed run is still there: {mark}")


def test_a_bad_line_deep_in_the_text_is_named(corpus, options, tmp_path):
    text = tmp_path / "text"
    text.write_bytes(corpus.read_bytes() + b"\xff\n")
    lines = text.read_bytes().count(b"\n")
    with pytest.raises(InputError, match=f"text:{lines}: not UTF-8"):
        stream(text, tmp_path / "out", options)
    assert not list((tmp_path / "out").glob("*.tmp-*"))


def statistics(serialized, vocabulary):
    """Masked share, 80/10/10, random next share and mean length of records."""
    batch = parsing.parse(records.PRETRAINING, serialized, {"S": 64, "P": 10})
    ids, positions = batch["input_ids"].numpy(), batch["masked_lm_positions"].numpy()
    real = batch["masked_lm_weights"].numpy() > 0
    shown, labels = np.take_along_axis(ids, positions, 1)[real], batch["masked_lm_ids"].numpy()[real]
    lengths = batch["input_mask"].numpy().sum(axis=1)
    return {
        "masked share": real.sum() / lengths.sum(),
        "mask": np.mean(shown == vocabulary.mask_id),
        "keep": np.mean(shown == labels),
        "random next": batch["next_sentence_labels"].numpy().mean(),
        "mean length": lengths.mean() / 64,
        "full length": np.mean(lengths == 64),
        "second sentence": batch["segment_ids"].numpy().sum() / lengths.sum(),
    }


def test_statistics_agree_with_the_exact_mode(corpus, options, streamed, tmp_path, golden):
    vocabulary = Vocabulary.from_file(options.vocab_file)
    exact.create([str(corpus)], [str(tmp_path / "out")], options)
    expected = statistics(list(records.read(str(tmp_path / "out"))), vocabulary)
    found = statistics(read_all(streamed[0]), vocabulary)
    assert found == pytest.approx(expected, abs=0.015)
    assert found["masked share"] == pytest.approx(0.15, abs=0.01)
    assert found["mask"] == pytest.approx(0.8, abs=0.01)
    assert found["keep"] == pytest.approx(0.1, abs=0.01)


def test_blocks_hold_every_sentence_once_and_several_documents(options):
    sentences = [f"sentence {number}" if number % 10 else "" for number in range(20_000)]
    blocks = list(read_blocks(0, iter(sentences), options))
    assert [block.number for block in blocks] == list(range(len(blocks)))
    assert [line for block in blocks for line in block.text.split("\n") if line] == [line for line in sentences if line]
    sizes = [len(block.text.encode()) for block in blocks]
    assert all(options.block_bytes <= size <= 1.1 * options.block_bytes for size in sizes[:-1])
    assert 0.5 * options.block_bytes <= sizes[-1] <= 1.6 * options.block_bytes


def test_a_long_document_is_cut(options):
    blocks = list(read_blocks(0, (f"sentence {number}" for number in range(20_000)), options))
    assert len(blocks) > 5
    assert all(block.text.count("\n\n") >= 8 for block in blocks[:-1])


def test_chinese_blocks_are_measured_in_bytes(options):
    blocks = list(read_blocks(0, ["你好吗" * 5, ""] * 5000, options))
    assert len(blocks) == 8  # 5000 times 46 bytes in blocks of 30,000


def test_small_files_share_a_group(tmp_path, options):
    for number, size in enumerate([40_000, 10_000, 10_000, 15_000, 5]):
        (tmp_path / f"{number}").write_bytes(b"x" * size)
    paths = [str(tmp_path / f"{number}") for number in range(5)]
    assert group_files(paths, options) == [paths[:1], paths[1:4], paths[4:]]


def test_a_blocks_records_depend_on_seed_and_number_only(corpus, options):
    block, other = list(read_blocks(0, corpus.read_text().split("\n"), options))[:2]

    def made(block, options=options):
        return [record for batch, _ in BlockMaker(options).records(block) for record in batch]

    assert made(block) == made(block)
    assert made(dataclasses.replace(block, number=7)) != made(block)
    assert made(dataclasses.replace(block, group=7)) != made(block)
    assert made(block, dataclasses.replace(options, random_seed=1)) != made(block)
    assert collections.Counter(made(block)) != collections.Counter(made(other))


@pytest.mark.slow
def test_beam_makes_the_same_records(corpus, options, streamed, tmp_path):
    pytest.importorskip("apache_beam")
    argv = [
        *(sys.executable, "create_pretraining_data.py", f"--input_file={corpus}", "--beam_runner=DirectRunner"),
        *(f"--output_file={tmp_path}/out.tfrecord", f"--vocab_file={options.vocab_file}"),
        *("--max_seq_length=64", "--max_predictions_per_seq=10", "--dupe_factor=2", "--block_size_mb=0.03"),
        "--beam_options=--direct_num_workers=2 --direct_running_mode=multi_processing",
    ]
    folder, counts = streamed
    result = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert sorted(read_all(tmp_path)) == sorted(read_all(folder))
    shards = sorted(tmp_path.glob("*.tfrecord"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        name for path in shards for name in (path.name, f"{path.name}.json")
    )
    assert Counts(**sidecar.read(str(shards[0]))["counts"]) == counts
    again = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 1
    assert "is there already" in again.stderr.splitlines()[-1]


def test_shard_names():
    assert shard_path("a/b.tfrecord", 3) == "a/b-00003.tfrecord"
    assert shard_path("a/b", 12) == "a/b-00012"


def test_a_shard_without_its_side_car_is_refused(corpus, options, tmp_path):
    (tmp_path / "out-00000.tfrecord").write_bytes(b"")
    with pytest.raises(InputError, match="without its side-car"):
        ShardWriter(str(tmp_path / "out.tfrecord"), 1.0, options, [str(corpus)])
