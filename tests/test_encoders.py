"""The baselines under a head, against keras.layers, numpy and cases worked by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert import encoders
from bert.config import BASELINES, BertConfig
from bert.encoders import dssm
from bert.errors import InputError
from bert.heads import SequenceClassifier
from bert.modeling import BertModel
from bert.tokenization import Vocabulary
from tests import commands

SIZES = {
    "vocab_size": 12,
    "hidden_size": 6,
    "num_hidden_layers": 2,
    "intermediate_size": 5,
    "embedding_size": 4,
    "hash_buckets": 500,
    "initializer_range": 0.5,
}
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", "##ing", "a", "银", "行", "卡", "playing"]
IDS = np.array([[2, 5, 6, 3, 7, 5, 3, 0], [2, 8, 9, 10, 3, 0, 0, 0]], np.int32)  # a pair and a text alone
SEGMENTS = np.array([[0, 0, 0, 0, 1, 1, 1, 0], [0] * 8], np.int32)
MASK = (IDS > 0).astype(np.int32)
FIRST = MASK * (1 - SEGMENTS)
INPUTS = {"input_ids": IDS, "input_mask": MASK, "segment_ids": SEGMENTS}


def built(name: str, **changes):
    """An encoder with weights of some size, which has seen the vocabulary."""
    keras.utils.set_random_seed(3)
    encoder = encoders.build(BertConfig.from_dict({**SIZES, "encoder": name, **changes}))
    encoder.build()
    if name != "bert":
        encoder.take_vocabulary(TOKENS)
    return encoder


def weights(encoder) -> dict[str, np.ndarray]:
    return {variable.path: np.asarray(variable) for variable in encoder.weights}


def pooler(values: dict[str, np.ndarray], name: str, first, second) -> np.ndarray:
    features = np.concatenate([first, second, np.abs(first - second), first * second], axis=1)
    return np.tanh(features @ values[f"{name}/pooler/dense/kernel"] + values[f"{name}/pooler/dense/bias"])


def of_keras(encoder, ids: list[int]) -> np.ndarray:
    """What keras.layers make of one text, [S, H]."""
    kind = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[encoder.name]
    values, hidden = weights(encoder), weights(encoder)[f"{encoder.name}/embeddings/word_embeddings"][ids][np.newaxis]
    for index in range(encoder.config.num_hidden_layers):
        units, outputs = encoder.config.hidden_size // encoder.config.directions, []
        for direction in ("forward", "backward")[: encoder.config.directions]:
            layer = kind(units, return_sequences=True, go_backwards=direction == "backward")
            layer.build(hidden.shape)
            names = ("kernel", "recurrent_kernel", "bias")
            layer.set_weights([values[f"{encoder.name}/layer_{index}/{direction}/{name}"] for name in names])
            found = np.asarray(layer(hidden))
            outputs.append(found[:, ::-1] if direction == "backward" else found)
        hidden = np.concatenate(outputs, axis=2)
    return hidden[0]


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_recurrent_network_is_that_of_keras_for_each_text_by_itself(name, directions):
    encoder = built(name, directions=directions)
    for cell in (cell for layer in encoder.recurrent_layers for cell in layer.cells):
        cell.bias.assign(np.random.default_rng(1).normal(size=cell.bias.shape))
    found = np.asarray(encoder(**INPUTS)["sequence_output"])
    pair, text = IDS
    assert found[0, :4] == pytest.approx(of_keras(encoder, pair[:4]), abs=1e-6)
    assert found[0, 4:7] == pytest.approx(of_keras(encoder, pair[4:7]), abs=1e-6)
    assert found[1, :5] == pytest.approx(of_keras(encoder, text[:5]), abs=1e-6)


@pytest.mark.parametrize("pooling", ["max", "last"])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_the_vector_of_a_pair_is_made_of_both_texts(name, pooling):
    encoder = built(name, pooling=pooling)

    def pooled(ids) -> np.ndarray:
        hidden = of_keras(encoder, ids)
        if pooling == "max":
            return hidden.max(axis=0)
        return np.concatenate([hidden[-1, :3], hidden[0, 3:]])  # where each direction has read all

    first, second = np.stack([pooled(IDS[0, :4]), pooled(IDS[1, :5])]), np.stack([pooled(IDS[0, 4:7]), np.zeros(6)])
    expected = pooler(weights(encoder), name, first, second)
    assert np.asarray(encoder(**INPUTS)["pooled_output"]) == pytest.approx(expected, abs=1e-6)


def test_the_average_is_the_mean_of_each_text_s_vectors():
    encoder = built("average")
    values = weights(encoder)
    table = values["average/embeddings/word_embeddings"]
    first, second = (
        [table[[2, 5, 6, 3]].mean(0), table[[2, 8, 9, 10, 3]].mean(0)],
        [table[[7, 5, 3]].mean(0), 0 * table[0]],
    )
    found = encoder(**INPUTS)
    assert np.array_equal(found["sequence_output"], table[IDS])
    expected = pooler(values, "average", np.stack(first), np.stack(second))
    assert np.asarray(found["pooled_output"]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("piece", "features"),
    [
        ("good", ["#go", "goo", "ood", "od#"]),  # the example of the paper
        ("##ing", ["ing", "ng#"]),
        ("##s", ["s#"]),
        ("a", ["#a#"]),
        ("银", ["#银#"]),
        ("##", ["###", "###"]),  # two signs of a text, no continuation
        ("[SEP]", []),
        ("[unused1]", []),
        ("[UNK]", ["[UNK]"]),
        ("[", ["#[#"]),
    ],
)
def test_letter_trigrams(piece, features):
    assert dssm.features_of(piece) == features


def of_dssm(values: dict[str, np.ndarray], features: list[int]) -> np.ndarray:
    """The vector of a text with these buckets."""
    counts = np.bincount(features, minlength=SIZES["hash_buckets"])
    hidden = np.tanh(counts @ values["dssm/layer_0/kernel"] + values["dssm/layer_0/bias"])
    for index in (1, 2):
        hidden = np.tanh(hidden @ values[f"dssm/layer_{index}/kernel"] + values[f"dssm/layer_{index}/bias"])
    return hidden


def test_dssm_counts_trigrams_characters_and_pairs_of_them():
    encoder = built("dssm", num_hidden_layers=3)
    values = weights(encoder)
    of_piece = {
        piece: row[row > 0].tolist() for piece, row in zip(TOKENS, values["dssm/hashing/trigrams"], strict=True)
    }
    assert [len(of_piece[piece]) for piece in ("play", "##ing", "银", "[CLS]")] == [4, 2, 1, 0]
    assert of_piece["play"][:3] == of_piece["playing"][:3]  # #pl, pla, lay
    pairs = [1 + (ord(a) * 1_000_003 + ord(b)) % 499 for a, b in ("银行", "行卡")]
    vectors = [
        of_dssm(values, of_piece["play"] + of_piece["##ing"]),
        of_dssm(values, of_piece["a"] + of_piece["play"]),
        of_dssm(values, of_piece["银"] + of_piece["行"] + of_piece["卡"] + pairs),
    ]
    found = encoder(**INPUTS)
    cosine = vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1])
    assert np.asarray(found["pooled_output"][0]) == pytest.approx([10 * cosine] * 6, abs=1e-5)
    assert np.asarray(found["pooled_output"][1]) == pytest.approx(vectors[2], abs=1e-6)
    for row, places, vector in ((0, FIRST[0] > 0, 0), (0, SEGMENTS[0] > 0, 1), (1, MASK[1] > 0, 2)):
        assert np.asarray(found["sequence_output"][row])[places] == pytest.approx(
            np.tile(vectors[vector], [places.sum(), 1]), abs=1e-6
        )


@pytest.mark.parametrize("name", BASELINES)
def test_padding_changes_nothing_and_fewer_positions_are_the_same_rows(name):
    encoder = built(name)
    whole = encoder(**INPUTS)
    padded = encoder(**{key: np.pad(value, [[0, 0], [0, 3]]) for key, value in INPUTS.items()})
    assert np.asarray(padded["pooled_output"]) == pytest.approx(np.asarray(whole["pooled_output"]), abs=1e-6)
    real = MASK > 0
    expected = np.asarray(whole["sequence_output"])
    assert np.asarray(padded["sequence_output"])[:, :8][real] == pytest.approx(expected[real], abs=1e-6)
    positions = np.array([[0, 5], [0, 2]], np.int32)
    some = encoder(**INPUTS, positions=positions)["sequence_output"]
    assert np.array_equal(some, tf.gather(whole["sequence_output"], positions, batch_dims=1))


@pytest.mark.parametrize("name", BASELINES)
def test_parameters_names_and_the_way_into_a_keras_file(name, tmp_path):
    config = BertConfig.from_dict({**SIZES, "encoder": name})
    model = SequenceClassifier(config, 3)
    encoders.start(model.encoder, Vocabulary(TOKENS, "vocab.txt"))
    trained = model.encoder.trainable_variables
    assert sum(int(np.prod(variable.shape)) for variable in trained) == config.parameter_count
    assert {variable.path.split("/")[0] for variable in model.encoder.weights} == {name}
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert np.array_equal(loaded(INPUTS)["logits"], model(INPUTS)["logits"])
    assert np.ptp(model(INPUTS)["logits"]) > 0


@pytest.mark.parametrize("name", BASELINES)
def test_dropout_is_a_function_of_the_seed(name):
    encoder = built(name, hidden_dropout_prob=0.5)
    found = [
        np.asarray(encoder(**INPUTS, seed=tf.constant(seed))["pooled_output"]) for seed in ([1, 2], [1, 2], [1, 3])
    ]
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    assert not np.array_equal(found[0], encoder(**INPUTS)["pooled_output"])


def test_bert_is_what_nobody_names():
    config = BertConfig.from_dict(commands.TINY)
    assert config.encoder == "bert"
    assert "encoder" not in config.to_dict()
    assert type(encoders.build(config)) is BertModel


def test_an_encoder_s_config_keeps_what_it_reads():
    values = {"encoder": "gru", "vocab_size": 9, "hidden_size": 4, "directions": 1, "pooling": "last", "hidden_act": 7}
    config = BertConfig.from_dict(values)
    assert config.to_dict() == {**config.to_dict(), **values}  # hidden_act is none of its keys
    assert BertConfig.from_dict(config.to_dict()) == config
    assert "num_attention_heads" not in config.to_dict()
    bert = BertConfig.from_dict({**commands.TINY, "pooling": "cls", "embedding_size": None})
    assert (bert.other, bert.to_dict()["pooling"]) == ({"pooling": "cls", "embedding_size": None}, "cls")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"encoder": "elmo"}, "encoder is 'elmo', expected one of bert, dssm, lstm, gru, average"),
        ({"encoder": None}, "encoder is None, expected one of bert, dssm"),
        ({"encoder": ["lstm"]}, "encoder is ['lstm'], expected a name"),
        ({"encoder": "lstm", "directions": 3}, "directions is 3, expected one of 1, 2"),
        ({"encoder": "gru", "pooling": "mean"}, "pooling is 'mean', expected one of max, last"),
        ({"encoder": "lstm", "hidden_size": 7}, "hidden_size (7) is not a multiple of directions (2)"),
        ({"encoder": "dssm", "hash_buckets": 0}, "hash_buckets is 0, expected a positive whole number"),
    ],
)
def test_bad_configs(changes, said):
    with pytest.raises(InputError) as caught:
        BertConfig.from_dict({**SIZES, **changes})
    assert str(caught.value).startswith(said)
