"""Fixtures every test may use."""

import collections
import pathlib

import hypothesis
import pytest

from tests import task_files

TESTS = pathlib.Path(__file__).parent
SHARED = TESTS.parent.parent / "shared"
hypothesis.settings.register_profile("without a clock", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("without a clock")
NOT_THERE = "the larger reference values are not beside the checkout"


def pytest_collection_modifyitems(items):
    """The files with the most slow tests first, then the longest: so no worker is alone with them at the end."""
    counts = collections.Counter(item.path for item in items)
    slow = collections.Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: (-slow[item.path], -counts[item.path]))


@pytest.hookimpl(wrapper=True, tryfirst=True)  # behind what pytest itself sums up
def pytest_terminal_summary(terminalreporter):
    """Without the larger reference values a run is green although it compared less: its end says so."""
    yield
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", [])]
    if count := sum(NOT_THERE in reason for reason in reasons):
        were = "tests were" if count > 1 else "test was"
        terminalreporter.write_line(f"{NOT_THERE}: {count} {were} skipped", yellow=True)


@pytest.fixture(scope="session")
def golden() -> pathlib.Path:
    """The reference values that travel with the tests."""
    return TESTS / "golden"


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The optional folder `shared` beside the checkout: public vocabularies and the larger reference values."""
    if not SHARED.is_dir():
        pytest.skip(NOT_THERE)
    return SHARED


@pytest.fixture
def folder(tmp_path):
    """Writes files into a task folder: folder({"train.csv": "..."}), or folder(train="...") for train.tsv; returns
    the folder's path."""

    def write(contents: dict[str, str] | None = None, **texts: str) -> str:
        return task_files.write(tmp_path, {**(contents or {}), **{f"{name}.tsv": text for name, text in texts.items()}})

    return write
