"""Fixtures every test may use."""

import pathlib

import pytest

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
