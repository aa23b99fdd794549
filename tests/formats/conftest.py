"""A folder like Google's downloads."""

import shutil

import pytest

from tests.formats import folders


@pytest.fixture
def google(golden, tmp_path):
    """A folder like Google's downloads, with the weights of the original's own code; its vocabulary is cased."""
    folder = tmp_path / "cased_L-3_H-32_A-4"
    folder.mkdir()
    micro = golden / "model" / "micro"
    for file in micro.glob("model.ckpt.*"):
        shutil.copy(file, folder / file.name.replace("model.ckpt", "bert_model.ckpt"))
    shutil.copy(micro / "bert_config.json", folder)
    folders.write_vocabulary(folder, 100)
    return folder
