"""Configs of Hugging Face folders: the same model, in Google's words and back."""

import json

import pytest

from bert.config import BertConfig
from bert.errors import InputError
from bert.formats import configs
from tests.formats import folders


def read(folder, **values) -> BertConfig:
    path = folder / "config.json"
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
    return BertConfig.from_json_file(str(path))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("gelu", "gelu_exact"),
        ("gelu_new", "gelu"),
        ("gelu_pytorch_tanh", "gelu"),
        ("relu", "relu"),
        (None, "gelu_exact"),
    ],
)
@pytest.mark.parametrize("mark", [{"model_type": "bert"}, {"architectures": ["BertModel"]}])
def test_the_name_gelu_means_another_function_there(theirs, ours, mark, tmp_path):
    assert read(tmp_path, vocab_size=9, hidden_act=theirs, **mark).activation == ours


def test_a_google_config_means_what_it_always_did(tmp_path):
    config = read(tmp_path, vocab_size=9, hidden_act="gelu", pooler_type="first_token_transform")
    assert (config.activation, config.layer_norm_epsilon, config.type_vocab_size) == ("gelu", 1e-12, 16)
    assert "layer_norm_epsilon" not in config.to_dict()


def test_what_is_not_said_is_what_transformers_takes(tmp_path):
    config = read(tmp_path, model_type="bert", layer_norm_eps=1e-5)
    assert (config.vocab_size, config.type_vocab_size, config.layer_norm_epsilon) == (30522, 2, 1e-5)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"model_type": "roberta"}, "model_type is 'roberta', expected 'bert'"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu', expected one of gelu, gelu_new"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key', expected 'absolute'"),
        ({"is_decoder": True}, "is_decoder is True, expected False"),
    ],
)
def test_what_is_no_bert_is_refused(values, problem, tmp_path):
    with pytest.raises(InputError, match=r"config\.json: " + problem):
        read(tmp_path, **{"model_type": "bert", **values})


def test_reading_what_was_read_changes_nothing():
    """As Keras does with the config of a saved model: nothing is translated twice."""
    config = BertConfig.from_json_file(str(folders.GOLDEN / "classifier"))
    again = BertConfig.from_dict(json.loads(config.to_json()))
    assert again == config
    assert again.other == config.other
    assert not configs.is_huggingface(config.to_dict())


@pytest.mark.parametrize("head", folders.BUILDERS)
def test_there_and_back(head):
    values = json.loads((folders.GOLDEN / head / "config.json").read_text())
    labels = configs.labels_of(values)
    back = configs.to_huggingface(configs.from_huggingface(values), values["architectures"][0], labels)
    said = {key: value for key, value in values.items() if back.get(key) == value}
    lost = {"add_cross_attention", "dtype", "is_decoder", "transformers_version", "label2id"}
    assert set(values) - set(said) <= lost
    assert back.get("label2id") in (None, {label: index for index, label in enumerate(labels)})
