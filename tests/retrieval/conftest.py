"""A knowledge base with a trained model and an index."""

import shutil

import pytest

from tests.retrieval.runs import Run


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Run:
    """Trained, indexed and evaluated; what other tests change they change in copies."""
    run = Run(tmp_path_factory.mktemp("retrieval"))
    run.outcome = run.done("--do_train", "--do_index", "--do_eval", eval_every_steps=10, hard_negatives=1)
    return run


@pytest.fixture
def copied(run, tmp_path) -> Run:
    copy = Run(tmp_path)
    shutil.copytree(run.output, copy.output)
    return copy
