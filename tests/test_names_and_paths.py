"""Odd names: signs of globs, pipes, links, schemes without file system, and what killed or living runs left there."""

import json
import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest

from bert import checkpoint, files
from bert.errors import InputError
from tests import commands

CREATE = "create_pretraining_data"
ABANDONED = ".tmp-0123456789abcdef"


def creation(folder, **changes) -> dict:
    """The flags of a small run, on a text in the folder."""
    (folder / "text.txt").write_text(
        "the company said no .\nit was after the bell .\n\nthe man went home .\nhe slept .\n"
    )
    return {
        "input_file": folder / "text.txt",
        "output_file": folder / "out.tfrecord",
        "vocab_file": commands.VOCABULARY,
        "dupe_factor": 1,
        **changes,
    }


def training(folder, **changes) -> dict:
    return {
        "bert_config_file": commands.write_config(folder),
        "input_file": commands.write_records(folder / "records", commands.golden_rows("small_both")[:40]),
        "output_dir": folder / "output",
        "max_seq_length": 32,
        "max_predictions_per_seq": 5,
        "train_batch_size": 8,
        "num_train_steps": 2,
        "do_train": True,
        **changes,
    }


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_seeds_that_tensorflow_takes_for_none_train(seed, tmp_path):
    outcome = commands.run("run_pretraining", **training(tmp_path, seed=seed))
    assert outcome.status == 0, outcome.stderr


@pytest.mark.slow
def test_a_folder_with_signs_of_globs(tmp_path):
    """Text, records, checkpoints, their rotation and the way on from them."""
    folder = tmp_path / "[a] b*c?"
    folder.mkdir()
    assert commands.run(CREATE, **creation(folder)).status == 0
    given = training(folder, save_checkpoints_steps=1, num_train_steps=7)
    assert commands.run("run_pretraining", **given).status == 0
    again = commands.run("run_pretraining", **{**given, "num_train_steps": 8})
    assert again.status == 0, again.stderr
    assert f"Going on from {folder}/output/model.ckpt-7 (step 7)" in again.stderr
    kept = {path.name for path in (folder / "output").glob("model.ckpt-*.index")}
    assert kept == {f"model.ckpt-{step}.index" for step in range(4, 9)}
    warm = commands.run(
        "run_pretraining", **{**given, "output_dir": folder / "w", "init_checkpoint": folder / "output"}
    )
    assert f"Loaded {folder}/output/model.ckpt-8" in warm.stderr


def test_a_name_that_exists_is_no_glob(tmp_path):
    for name in ("a[1].txt", "a1.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    assert files.expand(f"{tmp_path}/a[1].txt", "input_file") == [f"{tmp_path}/a[1].txt"]
    (tmp_path / "a[1].txt").unlink()
    assert files.expand(f"{tmp_path}/a[1].txt", "input_file") == [f"{tmp_path}/a1.txt"]


@pytest.mark.parametrize("name", ["input_file", "vocab_file", "output_file"])
def test_a_pipe_is_refused(name, tmp_path):
    """Neither waited for nor replaced."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    error = commands.run(CREATE, **{**creation(tmp_path), name: pipe}).error
    assert error.startswith(f"--{name}: {pipe} is a pipe, expected a file")
    assert pipe.is_fifo()


def test_whatever_is_written_replaces_no_pipe(tmp_path):
    os.mkfifo(tmp_path / "model.ckpt-1.index")
    with pytest.raises(InputError, match="is a pipe"):
        checkpoint.write_variables(str(tmp_path / "model.ckpt-1"), {"w": np.zeros(3, np.float32)})
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(InputError, match="is a pipe"):
        files.write_json(str(tmp_path / "run.json"), {})
    assert sorted(os.listdir(tmp_path)) == ["model.ckpt-1.index", "run.json"]


def test_a_checkpoint_that_is_a_pipe(tmp_path):
    folder = checkpoint.CheckpointFolder(str(tmp_path))
    folder.save(1, {"w": np.zeros(3, np.float32)})
    os.mkfifo(tmp_path / "model.ckpt-2.index")
    with pytest.raises(checkpoint.Damaged, match=r"model\.ckpt-2: model\.ckpt-2\.index is no regular file"):
        checkpoint.read_shapes(folder.prefix(2))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read anything")
@pytest.mark.parametrize("name", ["input_file", "vocab_file"])
def test_a_file_that_may_not_be_read(name, tmp_path):
    closed = tmp_path / "closed"
    closed.touch(mode=0o000)
    error = commands.run(CREATE, **{**creation(tmp_path), name: closed}).error
    assert error == f"--{name}: no permission to read {closed}"


def test_a_link_is_followed(tmp_path):
    given = creation(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "records").write_bytes(b"old")
    given["output_file"].symlink_to("real/records")
    assert commands.run(CREATE, **given).status == 0
    assert given["output_file"].is_symlink()
    assert (tmp_path / "real" / "records").stat().st_size > 1000


@pytest.mark.parametrize("name", ["input_file", "output_file", "vocab_file"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_scheme_without_file_system(name, workers, tmp_path):
    error = commands.run(CREATE, **creation(tmp_path, **{name: "nowhere://a/b", "num_workers": workers})).error
    assert error == "nowhere://a/b: TensorFlow has no file system for nowhere:// on this machine"


def test_an_output_folder_without_file_system(tmp_path):
    error = commands.run("run_pretraining", **training(tmp_path, output_dir="nowhere://a")).error
    assert error == "nowhere://a: TensorFlow has no file system for nowhere:// on this machine"


def test_the_next_run_clears_what_no_process_owns(tmp_path):
    given = creation(tmp_path)
    (tmp_path / f"out.tfrecord{ABANDONED}").write_bytes(b"half")
    (tmp_path / f"other{ABANDONED}").write_bytes(b"not ours")
    assert commands.run(CREATE, **given).status == 0
    names = {"text.txt", "out.tfrecord", "out.tfrecord.json", f"other{ABANDONED}"}
    assert set(os.listdir(tmp_path)) == names


def test_what_a_living_process_writes_is_not_cleared(tmp_path):
    with files.replaced(str(tmp_path / "a")) as temporary, files.temporary_folder(str(tmp_path / "b")) as folder:
        files.clear_abandoned(str(tmp_path))
        assert os.path.exists(temporary)
        assert os.path.exists(folder)
    assert os.listdir(tmp_path) == ["a"]


def test_a_temporary_name_cannot_be_planted(tmp_path, monkeypatch):
    """Not even by somebody who knows it."""
    monkeypatch.setattr("secrets.token_hex", lambda count: "0123456789abcdef")
    (tmp_path / f"run.json{ABANDONED}").symlink_to(tmp_path / "precious")
    with pytest.raises(FileExistsError):
        files.write_json(str(tmp_path / "run.json"), {})
    assert not (tmp_path / "precious").exists()


def _hold(path: str, is_held, may_end) -> None:
    with files.locked(path, path):
        is_held.set()
        may_end.wait(60)


def test_a_second_run_is_told_who_works_there(tmp_path):
    """And a killed one locks nobody out."""
    given = creation(tmp_path)
    context = multiprocessing.get_context("spawn")
    is_held, may_end = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(f"{given['output_file']}.lock", is_held, may_end))
    holder.start()
    assert is_held.wait(60)
    for workers in (0, 1):
        error = commands.run(CREATE, **given, num_workers=workers).error
        assert error.startswith(f"{given['output_file']}: another run works here (process {holder.pid} on ")
    holder.kill()
    holder.join()
    assert os.path.exists(f"{given['output_file']}.lock")
    assert commands.run(CREATE, **given).status == 0
    assert not os.path.exists(f"{given['output_file']}.lock")


def test_a_locked_folder_is_cleared_and_left_clean(tmp_path):
    (tmp_path / f"train.tf_record{ABANDONED}").write_bytes(b"half")
    with files.locked_folder(str(tmp_path)):
        assert os.listdir(tmp_path) == [".lock"]
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
        with pytest.raises(InputError, match="another run works here"), files.locked_folder(str(tmp_path)):
            pass
    assert os.listdir(tmp_path) == []


def shell(command: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", "-c", command.replace("python", sys.executable)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_help_into_a_reader_that_stops():
    done = shell("set -o pipefail; python run_classifier.py --help | head -1")
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)


def test_closed_standard_error(tmp_path):
    flags = " ".join(f"--{name}={value}" for name, value in creation(tmp_path).items())
    assert shell(f"python {CREATE}.py {flags} 2>&-").returncode == 0
    assert (tmp_path / "out.tfrecord.json").exists()
    assert shell(f"python {CREATE}.py {flags} --dupe_factor=x 2>&-").returncode == 1


@pytest.mark.slow
def test_a_name_beyond_ascii(tmp_path):
    """In the C locale Python reads names as UTF-8; where it is told not to, the line says so."""
    folder = tmp_path / "ä"
    folder.mkdir()
    flags = " ".join(f"--{name}={value}" for name, value in creation(folder).items())
    done = shell(f"python {CREATE}.py {flags}", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "out.tfrecord.json").read_text(encoding="utf-8"))["inputs"]["first"] == [
        f"{folder}/text.txt"
    ]
    done = shell(f"python {CREATE}.py {flags}", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 1
    assert "PYTHONUTF8=1" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_streaming_says_nothing_of_tensorflow(tmp_path):
    flags = " ".join(f"--{name}={value}" for name, value in creation(tmp_path, num_workers=1).items())
    done = shell(f"python {CREATE}.py {flags}")
    assert done.returncode == 0
    assert not [line for line in done.stderr.splitlines() if "absl" in line or "0000 00:" in line]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_disk_that_is_full_is_named(workers, tmp_path):
    """A limit on the size of a file stands for the disk; nothing half-written stays."""
    given = creation(tmp_path, num_workers=workers, dupe_factor=20)
    flags = " ".join(f"--{name}={value}" for name, value in given.items())
    done = shell(f"ulimit -f 2; python {CREATE}.py {flags}")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {tmp_path}/out")
    assert last.endswith("File too large")
    assert os.listdir(tmp_path) == ["text.txt"]


@pytest.mark.slow
def test_a_killed_fork_server_is_told(tmp_path):
    """The helper of the helpers, killed whenever it is there; once alone it would be started again."""
    code = f"""
import sys, threading, time, os, signal
from multiprocessing import forkserver
def kill():
    killed = None
    while True:
        found = forkserver._forkserver._forkserver_pid
        if found and found != killed:
            os.kill(found, signal.SIGKILL)
            killed = found
        time.sleep(0.001)
threading.Thread(target=kill, daemon=True).start()
from bert import cli
from bert.commands import {CREATE} as command
if __name__ == "__main__":
    cli.run(command.Settings, command.main)
"""
    (tmp_path / "killing.py").write_text(code)
    flags = " ".join(f"--{name}={value}" for name, value in creation(tmp_path, num_workers=1).items())
    done = shell(f"python {tmp_path}/killing.py {flags}", PYTHONPATH=os.getcwd())
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: a worker process was killed"), done.stderr
    assert "Traceback" not in done.stderr
