"""The wheel: everything in it, installed into an empty folder, and two commands run from there."""

import importlib.metadata
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

import bert
from tests import commands

ROOT = pathlib.Path(__file__).parent.parent

pytestmark = pytest.mark.slow

# Imports all there is below `bert`, from the folder given and from nowhere else; prints how many modules it were.
IMPORT_EVERYTHING = """
import importlib, pathlib, pkgutil, sys
import bert
folder, *left_out = sys.argv[1:]
assert pathlib.Path(bert.__file__).parent.parent == pathlib.Path(folder), bert.__file__
names = [module.name for module in pkgutil.walk_packages(bert.__path__, "bert.") if module.name not in left_out]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def start(argv: list[str], folder: pathlib.Path, **environment: str) -> str:
    """Runs a program in a folder; returns its stdout, and asserts that it ended well."""
    done = subprocess.run(argv, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv}\n{done.stdout}{done.stderr}"
    return done.stdout


def pip(*arguments: str, folder: pathlib.Path) -> None:
    start([sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments], folder)


def isolation() -> list[str]:
    """Builds with this environment's setuptools if it is new enough; if not, pip fetches one."""
    needed = re.search(r'requires = \["setuptools>=(\d+)"\]', (ROOT / "pyproject.toml").read_text())[1]
    if importlib.util.find_spec("setuptools") is None:
        return []
    present = importlib.metadata.version("setuptools").split(".")[0]
    return ["--no-build-isolation"] if int(present) >= int(needed) else []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> pathlib.Path:
    """The wheel of this checkout, built from a copy: a build leaves files behind, and takes in those of the last."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    for folder in ("bert", "docs", "tests"):  # what must not be in the wheel is there to be left out
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__", "golden"))
    pip("wheel", "--no-deps", *isolation(), "--wheel-dir", str(target), ".", folder=source)
    (path,) = target.iterdir()
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> pathlib.Path:
    """An empty folder with the wheel in it. What the package needs comes from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-compile", "--target", str(folder), str(wheel), folder=folder)
    return folder


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata_folder = f"bert-{bert.__version__}.dist-info"
        metadata = archive.read(f"{metadata_folder}/METADATA").decode()
    sources = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("bert/**/*.py")}
    assert {name for name in names if not name.startswith(metadata_folder)} == {
        *sources,
        "bert/py.typed",
        "bert/serving/page.html",
    }
    assert f"{metadata_folder}/licenses/LICENSE" in names
    lines = metadata.splitlines()
    for expected in ("License-Expression: Apache-2.0", "Provides-Extra: beam", "Provides-Extra: serve"):
        assert expected in lines
    assert required_by(lines, "") == required_names(ROOT / "requirements.txt")
    for extra in ("beam", "chinese", "fast", "onnx", "retrieval", "serve", "vocabulary"):
        assert required_by(lines, extra) == required_names(ROOT / f"requirements-{extra}.txt")


def required_by(lines: list[str], extra: str) -> set[str]:
    """The packages that the metadata asks for, always or with an extra."""
    found = [re.fullmatch(r"Requires-Dist: ([\w-]+)[^;]*(?:; extra == \W(\w+)\W)?", line) for line in lines]
    return {match[1] for match in found if match and (match[2] or "") == extra}


def required_names(path: pathlib.Path) -> set[str]:
    return set(re.findall(r"^[\w-]+", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_module_can_be_imported(installed, tmp_path):
    needs = {"bert.pretraining_data.beam": "apache_beam", "bert.pretraining_data.compiled": "numba"}
    left_out = [module for module, package in needs.items() if importlib.util.find_spec(package) is None]
    argv = [sys.executable, "-c", IMPORT_EVERYTHING, str(installed), *left_out]
    count = int(start(argv, tmp_path, PYTHONPATH=str(installed)))
    assert count + 1 + len(left_out) == len(list(ROOT.glob("bert/**/*.py")))  # 1: bert itself


def test_two_commands_run_outside_the_checkout(installed, tmp_path):
    """One as `bert`, one as `python -m bert`: from a text to records, from a table to a trained model."""
    (tmp_path / "text.txt").write_text("the cat sat on the mat .\nit was a big cat .\n\na dog ran .\nit was fast .\n")
    (tmp_path / "table").mkdir()
    rows = [f"the {animal} is here\t{animal}\n" for animal in ("cat", "dog")] * 8
    (tmp_path / "table" / "train.tsv").write_text("text\tlabel\n" + "".join(rows))
    (tmp_path / "bert_config.json").write_text(json.dumps(commands.TINY))
    shutil.copy(commands.VOCABULARY, tmp_path / "vocab.txt")
    script, module = [str(installed / "bin" / "bert")], [sys.executable, "-m", "bert"]

    data = ["--input_file=text.txt", "--output_file=records.tfrecord", "--vocab_file=vocab.txt", "--max_seq_length=32"]
    start([*script, "create_pretraining_data", *data], tmp_path, PYTHONPATH=str(installed))
    assert (tmp_path / "records.tfrecord").stat().st_size > 0

    training = ["--do_train=true", "--max_seq_length=16", "--train_batch_size=8", "--num_train_epochs=1"]
    model = ["--vocab_file=vocab.txt", "--bert_config_file=bert_config.json", "--output_dir=output"]
    task = ["--task_name=table", "--data_dir=table"]
    start([*module, "run_classifier", *task, *model, *training], tmp_path, PYTHONPATH=str(installed))
    assert (tmp_path / "output" / "model.ckpt-2.index").exists()
