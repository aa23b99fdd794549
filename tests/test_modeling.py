"""The encoder and its heads against the reference values, and what must hold for any BERT."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert.activations import gelu_exact
from bert.config import BertConfig
from bert.errors import InputError
from bert.heads import PretrainingModel, SequenceClassifier
from bert.layers import Dropout
from bert.modeling import BertModel
from tests import model_references as references


@pytest.fixture
def micro(golden):
    return golden / "model" / "micro"


@pytest.fixture
def batch(micro):
    return references.batch_of(np.load(micro / "forward.npz"), "in/")


def test_forward_agrees(micro):
    differences = references.forward_differences(micro)
    assert len(differences) == 11
    assert max(differences.values()) < 1e-5


def test_gradients_agree(micro):
    differences = references.gradient_differences(micro)
    assert len(differences) == 63
    assert max(differences.values()) < 1e-6


def test_classifier_agrees(micro):
    assert max(references.classifier_differences(micro).values()) < 1e-5


# From the table of model sizes in the original's README: base is called 110M, large 340M.
@pytest.mark.parametrize(
    ("layers", "hidden", "heads", "intermediate", "vocabulary", "encoder", "pretraining"),
    [
        (12, 768, 12, 3072, 30522, 109_482_240, 110_106_428),  # BERT base, uncased
        (12, 768, 12, 3072, 28996, 108_310_272, 108_932_934),  # BERT base, cased
        (12, 768, 12, 3072, 21128, 102_267_648, 102_882_442),  # BERT base, Chinese
        (24, 1024, 16, 4096, 30522, 335_141_888, 336_226_108),  # BERT large, uncased
    ],
)
def test_parameter_counts(layers, hidden, heads, intermediate, vocabulary, encoder, pretraining):
    config = BertConfig(vocabulary, hidden, layers, heads, intermediate, type_vocab_size=2)
    model = count_without_memory(lambda: PretrainingModel(config))
    assert sum(size for path, size in model.items() if path.startswith("bert/")) == encoder
    assert sum(model.values()) == pretraining


def count_without_memory(build) -> dict[str, int]:
    """Path -> parameters of a model, built in a graph so that no weight is ever allocated."""
    with tf.Graph().as_default(), keras.StatelessScope():
        model = build()
        return {variable.path: int(np.prod(variable.shape)) for variable in model.trainable_variables}


def test_paths_are_the_original_names(micro):
    model = references.pretraining_model(micro)
    names = dict(tf.train.list_variables(str(micro / "model.ckpt")))
    assert {variable.path: list(variable.shape) for variable in model.trainable_variables} == names
    classifier = SequenceClassifier(references.micro_config(micro), classes=2)
    assert [variable.path for variable in classifier.trainable_variables[-2:]] == ["output_weights", "output_bias"]


def test_fewer_positions_are_the_same_rows(micro, batch):
    bert = references.pretraining_model(micro).encoder
    inputs = batch["input_ids"], batch["input_mask"], batch["segment_ids"]
    positions = tf.constant([[0, 7, 3]] * 8)
    some, whole = bert(*inputs, positions=positions), bert(*inputs)
    expected = tf.gather(whole["sequence_output"], positions, batch_dims=1)
    assert references.largest(some["sequence_output"], expected) < 1e-6
    assert references.largest(some["pooled_output"], whole["pooled_output"]) < 1e-6


def test_padding_changes_nothing(micro):
    batch = references.batch_of(np.load(micro / "train_batches.npz"), "b0/")
    assert tf.reduce_all(batch["input_mask"][:, 0] == 1)  # a row of padding alone attends to all of it
    model = references.pretraining_model(micro)
    longer = {
        name: tf.pad(value, [[0, 0], [0, 11]]) if name in ("input_ids", "input_mask", "segment_ids") else value
        for name, value in batch.items()
    }
    loss, gradients = references.loss_and_gradients(model, batch)
    padded_loss, padded_gradients = references.loss_and_gradients(model, longer)
    assert references.largest(loss, padded_loss) < 1e-6
    for one, other in zip(gradients, padded_gradients, strict=True):
        assert references.largest(tf.convert_to_tensor(one), tf.convert_to_tensor(other)) < 1e-6


def test_a_row_with_everything_masked_is_finite(micro, batch):
    bert = references.pretraining_model(micro).encoder
    output = bert(batch["input_ids"], tf.zeros_like(batch["input_mask"]), batch["segment_ids"])
    assert np.isfinite(output["sequence_output"]).all()


@pytest.mark.parametrize("build", [PretrainingModel, lambda config: SequenceClassifier(config, classes=3)])
def test_keras_files_and_weights_files_round_trip(micro, batch, build, tmp_path):
    model = build(references.micro_config(micro))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert_same_outputs(model, loaded, batch)
    model.save_weights(tmp_path / "model.weights.h5")
    other = build(references.micro_config(micro))
    other.load_weights(tmp_path / "model.weights.h5")
    assert_same_outputs(model, other, batch)


def assert_same_outputs(model, other, batch):
    found, expected = other(batch), model(batch)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def test_keras_compile_and_fit_learn(micro):
    arrays = np.load(micro / "classifier.npz")
    model = SequenceClassifier(references.micro_config(micro), classes=3)
    model.compile(
        optimizer=keras.optimizers.Adam(3e-3),
        loss={"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
    )
    features = {name: arrays[f"b0/{name}"] for name in ("input_ids", "input_mask", "segment_ids")}
    history = model.fit(features, {"logits": arrays["b0/label_ids"]}, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2


def test_dropout_is_a_function_of_seed_and_path():
    x = tf.ones([200, 100])
    one, other = named_dropout("one"), named_dropout("other")
    first = one(x, seed=tf.constant([1, 2])).numpy()
    np.testing.assert_array_equal(first, one(x, seed=tf.constant([1, 2])))
    assert (first != one(x, seed=tf.constant([1, 3])).numpy()).any()
    assert (first != other(x, seed=tf.constant([1, 2])).numpy()).any()
    assert 0.08 < (first == 0).mean() < 0.12
    assert set(np.unique(first)) == {np.float32(0), np.float32(1 / 0.9)}
    np.testing.assert_array_equal(one(x), x)


def named_dropout(name: str) -> Dropout:
    layer = Dropout(0.1, name=name)
    layer.build(None)
    return layer


def test_dropout_reaches_every_place(batch):
    """With a rate in one place only, a seed changes the output: each place's mask is really drawn."""
    for rates in ({"hidden_dropout_prob": 0.5}, {"attention_probs_dropout_prob": 0.5}):
        sizes = {"vocab_size": 100, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        rates = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, **rates}
        bert = BertModel(BertConfig(**sizes, **rates, intermediate_size=16, type_vocab_size=2))
        inputs = batch["input_ids"], batch["input_mask"], batch["segment_ids"]
        one, other = (bert(*inputs, seed=tf.constant([7, step]))["pooled_output"] for step in (1, 2))
        assert references.largest(one, other) > 1e-4


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hidden_size": 128, "num_attention_heads": 3}, "hidden_size (128) is not a multiple"),
        ({"hidden_act": "swish"}, "hidden_act is 'swish'"),
        ({"hidden_size": "768"}, "hidden_size is '768'"),
        ({"hidden_dropout_prob": 2.0}, "hidden_dropout_prob is 2.0"),
        ({"vocab_size": None}, "vocab_size is missing"),
        ({"vocab_size": 10**310}, f"vocab_size is {10**310}, expected at most 2147483647"),
    ],
)
def test_config_refuses(values, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(").replace(")", r"\)")):
        BertConfig.from_dict({"vocab_size": 100, **values})


def test_config_defaults_and_unknown_keys(tmp_path):
    path = tmp_path / "bert_config.json"
    path.write_text('{"vocab_size": 100, "hidden_act": "", "pooler_type": "first_token"}')
    config = BertConfig.from_json_file(str(path))
    assert (config.type_vocab_size, config.hidden_size, config.activation) == (16, 768, "linear")
    assert '"pooler_type": "first_token"' in config.to_json()


def test_config_file_that_is_no_json(tmp_path):
    path = tmp_path / "bert_config.json"
    path.write_text('{"vocab_size": 100,\n "hidden_size" 3}')
    with pytest.raises(InputError, match=r"bert_config\.json:2: not JSON"):
        BertConfig.from_json_file(str(path))


def test_the_exact_gelu_and_its_gradient():
    x = tf.constant(np.linspace(-6, 6, 97), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = gelu_exact(x)
    phi = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in x.numpy()])
    density = np.exp(-(x.numpy() ** 2) / 2) / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(y, x.numpy() * phi, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(y, x), phi + x.numpy() * density, atol=1e-6)
