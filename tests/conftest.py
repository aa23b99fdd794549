"""Fixtures every test may use."""

import pathlib

import pytest

from tests import task_files

TESTS = pathlib.Path(__file__).parent


@pytest.fixture(scope="session")
def golden() -> pathlib.Path:
    """The reference values that travel with the tests."""
    return TESTS / "golden"


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The optional folder `shared` beside the checkout: public vocabularies and the larger reference values."""
    folder = TESTS.parent.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the folder {folder}")
    return folder


@pytest.fixture
def folder(tmp_path):
    """Writes files into a task folder: folder({"train.csv": "..."}), or folder(train="...") for train.tsv; returns
    the folder's path."""

    def write(contents: dict[str, str] | None = None, **texts: str) -> str:
        return task_files.write(tmp_path, {**(contents or {}), **{f"{name}.tsv": text for name, text in texts.items()}})

    return write
