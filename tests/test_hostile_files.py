"""Files that were damaged, or made to hurt: one line names the file and the place, and nothing finished is lost."""

import errno
import gzip
import json
import math
import multiprocessing
import os
import resource
import shutil
import signal

import numpy as np
import pytest

from bert import checkpoint, cli, files, sidecar
from bert.errors import InputError
from bert.pretraining_data.report import Counts
from bert.reporting import StepLog
from bert.tasks import class_weights
from tests import commands
from tests.test_names_and_paths import CREATE, creation, training

DEEP = "[" * 100_000
LONG = "1" * 5000
CANNOT = "JSON that cannot be read: "


@pytest.mark.parametrize(
    ("text", "problem"),
    [(DEEP, "too many brackets in each other"), (f'{{"vocab_size":\n{LONG}}}', "a number of more than 4300 digits")],
    ids=["deep", "long"],
)
def test_json_that_python_cannot_hold(text, problem, tmp_path):
    """In everything that reads JSON."""
    given = training(tmp_path)
    line = 2 if LONG in text else 1
    (tmp_path / "records.json").write_text(text)
    assert commands.run("run_pretraining", **given).error == f"{tmp_path}/records.json:{line}: {CANNOT}{problem}"
    (tmp_path / "bert_config.json").write_text(text)
    assert commands.run("run_pretraining", **given).error == f"{tmp_path}/bert_config.json:{line}: {CANNOT}{problem}"
    (tmp_path / "text.jsonl").write_text('{"text": "a"}\n' + text.replace("\n", " "))
    given = {**creation(tmp_path), "input_file": tmp_path / "text.jsonl", "input_format": "jsonl"}
    assert commands.run(CREATE, **given).error == f"{tmp_path}/text.jsonl:2: {CANNOT}{problem}"


def test_half_of_a_surrogate_pair_is_no_config(tmp_path):
    given = training(tmp_path)
    path = tmp_path / "bert_config.json"
    path.write_text(path.read_text()[:-1] + ', "name": "\\ud83d"}')
    assert commands.run("run_pretraining", **given).error.startswith(f"{path}:1: {CANNOT}'\\ud83d' is half")


@pytest.mark.parametrize("name", ["text.txt", "text.txt.gz"])
def test_a_line_without_end(name, tmp_path):
    given = {**creation(tmp_path), "input_file": tmp_path / name}
    with (gzip.open if name.endswith(".gz") else open)(tmp_path / name, "wb") as file:
        file.write(b"a word or two\n")
        for _ in range(200):
            file.write(b"word " * 200_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (
        commands.run(CREATE, **given).error == f"{tmp_path}/{name}:2: a line of more than 16 MB, expected shorter lines"
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB


@pytest.mark.parametrize("text", ["", "\xff", 'model_checkpoint_path: "', "model_checkpoint_path: 5", "x: 1"])
def test_a_damaged_state_file_is_not_needed(text, tmp_path, caplog):
    for step in (1, 2):
        checkpoint.CheckpointFolder(str(tmp_path)).save(step, {"w": np.zeros(3, np.float32)})
    (tmp_path / "checkpoint").write_bytes(text.encode("latin-1"))
    assert checkpoint.CheckpointFolder(str(tmp_path)).latest() == str(tmp_path / "model.ckpt-2")
    assert f"{tmp_path}/checkpoint" in caplog.text
    assert f"taking the newest checkpoint, {tmp_path}/model.ckpt-2." in caplog.text
    for file in tmp_path.glob("model.*"):
        file.unlink()
    with pytest.raises(InputError, match=f"{tmp_path}/checkpoint"):
        checkpoint.CheckpointFolder(str(tmp_path)).latest()


def test_the_state_file_is_honoured(tmp_path):
    """Somebody goes back to an earlier step on purpose; where that one is damaged, the newest whole one is taken."""
    folder = checkpoint.CheckpointFolder(str(tmp_path))
    for step in (10, 20, 30):
        folder.save(step, {"w": np.zeros(3, np.float32)})
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-20"\n')
    steps = [int(prefix.rpartition("-")[2]) for prefix in checkpoint.CheckpointFolder(str(tmp_path)).candidates()]
    assert steps == [20, 30, 10]
    assert checkpoint.resolve(str(tmp_path)) == str(tmp_path / "model.ckpt-20")
    for moved in ("/gone/model.ckpt-20", str(tmp_path / "model.ckpt-20")):
        (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{moved}"\n')
        assert folder.latest() == str(tmp_path / "model.ckpt-20")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-25"\n')
    assert folder.latest() == str(tmp_path / "model.ckpt-30")


def test_a_run_goes_on_where_the_state_file_says(tmp_path):
    given = training(tmp_path, save_checkpoints_steps=1)
    assert commands.run("run_pretraining", **{**given, "num_train_steps": 3}).status == 0
    (tmp_path / "output" / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-2"\n')
    again = {**given, "do_train": False, "do_eval": True}
    outcome = commands.run("run_pretraining", **again)
    assert f"names {tmp_path}/output/model.ckpt-2; there is a newer one" in outcome.stderr
    assert f"Going on from {tmp_path}/output/model.ckpt-2 (step 2)" in outcome.stderr
    (tmp_path / "output" / "checkpoint").write_bytes(b"")
    outcome = commands.run("run_pretraining", **again)
    assert f"Going on from {tmp_path}/output/model.ckpt-3 (step 3)" in outcome.stderr


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"vocab_size": "473"}, "'vocab_size' is \"473\", expected a whole number"),
        ({"max_seq_length": True}, "'max_seq_length' is true, expected a whole number"),
        ({"counts": 5}, "'counts' is 5, expected an object"),
        ({"records": [1]}, "'records' is [1], expected a whole number or null"),
    ],
)
def test_values_of_wrong_types_in_a_side_car(values, problem, tmp_path):
    given = training(tmp_path)
    (tmp_path / "records.json").write_text(json.dumps(values))
    assert commands.run("run_pretraining", **given).error == f"{tmp_path}/records.json: {problem}"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"shard": {}}, "has no 'shard.number', expected a whole number"),
        ({"shard": {"number": 0, "blocks": 1.5, "is_last": True}}, "'shard.blocks' is 1.5, expected a whole number"),
        ({"counts": {}}, "has no 'counts.documents', expected a whole number"),
    ],
)
def test_values_of_wrong_types_beside_a_shard(change, problem, tmp_path):
    given = creation(tmp_path, num_workers=1)
    (tmp_path / "out-00000.tfrecord").write_bytes(b"")
    whole = {"counts": vars(Counts()), "shard": {"number": 0, "blocks": 1, "is_last": True}}
    sidecar.write(str(tmp_path / "out-00000.tfrecord"), whole | change)
    assert commands.run(CREATE, **given).error == f"{tmp_path}/out-00000.tfrecord.json: {problem}"


def test_checked_names_the_place():
    schema = {"a": {"b?": [float]}, "c": (str, None)}
    assert files.checked({"a": {"b": [1, 2.5]}, "c": None, "d": 1}, schema, "x")
    assert files.checked({"loss": math.nan}, {"loss": files.Measured}, "x")
    for values, problem in [
        ({"c": ""}, "x: has no 'a', expected an object"),
        ({"a": {"b": [1, "2"]}, "c": ""}, "x: 'a.b[1]' is \"2\", expected a number"),
        ({"a": {"b": 1}, "c": ""}, "x: 'a.b' is 1, expected a list, each a number"),
        ({"a": {}, "c": 1}, "x: 'c' is 1, expected a text or null"),
        ({"a": {"b": [math.nan]}, "c": ""}, "x: 'a.b[0]' is NaN, expected a number"),
        ({"a": {"b": [-math.inf]}, "c": ""}, "x: 'a.b[0]' is -Infinity, expected a number"),
        ({"a": {"b": [10**400]}, "c": ""}, f"x: 'a.b[0]' is 1{'0' * 59}..., expected a number"),
    ]:
        with pytest.raises(InputError) as refused:
            files.checked(values, schema, "x")
        assert str(refused.value) == problem


def test_lines_of_a_log_that_are_none(tmp_path, caplog):
    """They are told and left out; a last line that was cut off says only that the run was killed."""
    lines = [
        '{"step": 1}',
        "null",
        "[]",
        "5",
        '{"step": "x"}',
        '{"step": 1, "loss": "x"}',
        DEEP,
        '{"step": 2}',
        '{"ste',
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    StepLog(str(tmp_path), 5)
    assert (tmp_path / "metrics.jsonl").read_text().splitlines() == ['{"step": 1}', '{"step": 2}']
    assert [f"metrics.jsonl:{number}:" in caplog.text for number in range(1, 10)] == [False, *[True] * 6, False, False]


def test_lines_of_a_log_in_disorder(tmp_path, caplog):
    """They are sorted, and that a step is told twice is told."""
    lines = [f'{{"step": {step}, "loss": {loss}}}' for step, loss in ((2, 0.5), (1, 0.7), (3, 0.2), (3, 0.2))]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    StepLog(str(tmp_path), 3)
    assert (tmp_path / "metrics.jsonl").read_text().splitlines() == [lines[1], lines[0], *lines[2:]]
    assert "in another order than their steps; they are sorted" in caplog.text
    assert "has 1 lines of steps that it has already told" in caplog.text


def small_disk(limit: int):
    """A file-size limit in a child process: writes beyond it fail as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def _log_beyond(folder: str, limit: int) -> None:
    small_disk(limit)
    log = StepLog(folder, 0)
    try:
        for step in range(1, 10_000):
            log.write(step, {"loss": 1.0})
        log.flush()
    except OSError as error:
        ok = (error.filename, error.errno) == (os.path.join(folder, "metrics.jsonl"), errno.EFBIG)
        os._exit(0 if ok else 2)
    os._exit(3)


def test_a_log_that_cannot_grow_is_named(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=_log_beyond, args=(str(tmp_path), 50_000))
    process.start()
    process.join()
    assert process.exitcode == 0


def test_a_log_in_which_a_name_is_damaged(tmp_path, caplog):
    lines = ['{"step": 1, "loss": 1.0}', '{"step": 2, "mnss": 1.0}', '{"step": 3, "loss": 1.0}']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    StepLog(str(tmp_path), 3)
    assert "metrics.jsonl: 1 lines name other values than the first; a name may be damaged" in caplog.text
    assert (tmp_path / "metrics.jsonl").read_text().splitlines() == lines


@pytest.mark.parametrize("is_made_anew", [True, False])
def test_a_folder_that_is_deleted_while_it_is_written_is_not_taken_for_whole(tmp_path, is_made_anew):
    """Also where a library makes it anew for the rest of its files."""

    def write() -> None:
        with files.new_folder(str(tmp_path / "out" / "model"), "export_dir") as folder:
            shutil.rmtree(tmp_path / "out")
            if is_made_anew:
                os.makedirs(folder)

    with pytest.raises(InputError, match=r"`export_dir`: .*model was deleted while it was written"):
        write()
    assert not (tmp_path / "out" / "model").exists()


@pytest.mark.parametrize("there", [0, 1, 2])
def test_a_folder_that_fails_takes_along_those_made_around_it(tmp_path, there):
    """Not those that were there."""
    parents = ["a", "a/b"]
    for name in parents[:there]:
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="bad"), files.new_folder(str(tmp_path / "a" / "b" / "c"), "output_dir"):
        raise InputError("bad")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == parents[:there]
    with files.new_folder(str(tmp_path / "a" / "b" / "c"), "output_dir"):
        pass
    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_a_message_that_quotes_a_file_without_end_is_cut(tmp_path):
    flags = {"vocab_file": commands.VOCABULARY, "bert_config_file": commands.write_config(tmp_path)}
    outcome = commands.run(
        "run_classifier", task_name="x" * 10_000, data_dir=tmp_path, output_dir=tmp_path, do_train=True, **flags
    )
    assert 1000 < len(outcome.error) <= cli.LONGEST_MESSAGE


def test_a_label_without_end_is_quoted_in_part(tmp_path):
    (tmp_path / "weights.tsv").write_text("x" * 10_000 + "\t1\n")
    with pytest.raises(InputError, match=r"weights.tsv:1: unknown label 'x{60}\.\.\.', expected a line"):
        class_weights.from_file(str(tmp_path / "weights.tsv"), ["yes", "no"])
