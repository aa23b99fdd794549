"""The optimizer and the schedule against the reference trajectory and hand-worked cases."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert import touched_rows
from bert.optimization import AdamWeightDecay, WarmupLinearDecay
from tests import model_references as references


def test_ten_steps_agree(golden):
    differences = references.trajectory_differences(golden / "model" / "micro")
    assert max(differences.values()) < 1e-5


def test_schedule_by_hand():
    """docs/parity.md 9: for 1e-4, 3 warmup steps of 10."""
    schedule = WarmupLinearDecay(1e-4, total_steps=10, warmup_steps=3)
    found = [float(schedule(step)) for step in range(12)]
    expected = [0, 1e-4 / 3, 2e-4 / 3, 7e-5, 6e-5, 5e-5, 4e-5, 3e-5, 2e-5, 1e-5, 0, 0]
    np.testing.assert_allclose(found, expected, atol=1e-11)
    assert float(WarmupLinearDecay(1e-4, total_steps=10)(0)) == pytest.approx(1e-4)


def one_step(path_name: str, weight: float, gradient: float, **arguments) -> float:
    variable = keras.Variable([weight], name=path_name)
    optimizer = AdamWeightDecay(learning_rate=0.1, **arguments)
    optimizer.build([variable])
    optimizer.apply_summed([tf.constant([gradient])])
    return float(variable[0])


def test_one_step_by_hand():
    """m = 0.1 g, v = 0.001 g², no bias correction, epsilon outside the root, decay beside the gradient."""
    update = 0.1 * 0.5 / ((0.001 * 0.25) ** 0.5 + 1e-6) + 0.01 * 2.0
    assert one_step("kernel", weight=2.0, gradient=0.5) == pytest.approx(2.0 - 0.1 * update, rel=1e-5)


def test_with_bias_correction_it_is_the_adamw_of_keras():
    """Twenty steps beside an implementation that is not ours; epsilon is small, because it stands elsewhere there."""
    gradients = np.random.default_rng(0).normal(size=[20, 3]).astype(np.float32)
    arguments = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-12}
    ours = AdamWeightDecay(decay=0.1, bias_correction=True, **arguments)
    theirs = keras.optimizers.AdamW(weight_decay=0.1, **arguments)
    variables = []
    for optimizer in (ours, theirs):
        variable = keras.Variable([1.0, -2.0, 3.0], name="kernel")
        optimizer.build([variable])
        variables.append(variable)
    for gradient in gradients:
        ours.apply_summed([tf.constant(gradient)])
        theirs.apply([tf.constant(gradient)])
    np.testing.assert_allclose(variables[0].numpy(), variables[1].numpy(), rtol=1e-4)


def test_under_fit_of_keras_it_clips_and_corrects_as_in_the_loop():
    variables = [keras.Variable([1.0, -2.0, 3.0], name="kernel") for _ in range(2)]
    optimizers = [AdamWeightDecay(learning_rate=0.01, bias_correction=True) for _ in variables]
    for optimizer, variable in zip(optimizers, variables, strict=True):
        optimizer.build([variable])
    for gradient in ([3.0, 4.0, 0.0], [0.1, 0.2, -0.1]):
        optimizers[0].update([tf.constant(gradient)])
        optimizers[1].apply([tf.constant(gradient)])
    np.testing.assert_array_equal(variables[0].numpy(), variables[1].numpy())


def test_steps_that_overflowed_are_no_updates_to_correct_for():
    found = []
    for overflows in (0, 2):
        variable = keras.Variable([1.0, -2.0], name="kernel")
        optimizer = AdamWeightDecay(learning_rate=0.01, bias_correction=True, loss_scaling=True)
        optimizer.build([variable])
        for _ in range(overflows):
            optimizer.update([tf.constant([np.inf, 1.0])])
        for gradient in ([0.3, 0.4], [0.1, -0.2]):
            optimizer.update([optimizer.scaled(tf.constant(gradient))])
        found.append(variable.numpy())
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("name", ["bias", "output_bias", "LayerNorm_gamma"])
def test_no_decay_for_biases_and_normalization(name):
    update = 0.1 * 0.5 / ((0.001 * 0.25) ** 0.5 + 1e-6)
    assert one_step(name, weight=2.0, gradient=0.5) == pytest.approx(2.0 - 0.1 * update, rel=1e-5)


def test_clipping_is_over_all_gradients_together():
    optimizer = AdamWeightDecay()
    clipped, norm = optimizer.clip([tf.constant([3.0]), tf.constant([4.0])])
    assert float(norm) == pytest.approx(5.0)
    np.testing.assert_allclose([float(value[0]) for value in clipped], [0.6, 0.8], rtol=1e-6)
    unchanged, _ = optimizer.clip([tf.constant([0.3])])
    assert float(unchanged[0][0]) == pytest.approx(0.3)


def test_rows_held_twice_count_twice_in_the_norm():
    twice = tf.IndexedSlices(tf.constant([[3.0], [4.0]]), tf.constant([1, 1]), tf.constant([5, 1]))
    _, norm = AdamWeightDecay().clip([twice])
    assert float(norm) == pytest.approx(5.0)  # not 7, the norm of the added rows


def test_optimizer_survives_serialization():
    optimizer = AdamWeightDecay(WarmupLinearDecay(1e-4, 10, 3), decay=0.02, clip_norm=2.0)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert copy.get_config() == optimizer.get_config()


def trained_table(note: bool, dense: bool, rows: int = 4096) -> dict[str, np.ndarray]:
    """A table of which ten steps read some rows, some of them twice; after five the optimizer begins anew."""
    draw = np.random.default_rng(1)
    table = keras.Variable(draw.normal(size=[rows, 3]), dtype="float32", name="table")
    optimizer = AdamWeightDecay(0.01)
    optimizer.build([table])
    for step in range(10):
        if note and step in (0, 5):
            optimizer.note_touched_rows()
        values = tf.constant(draw.normal(size=[40, 3]), tf.float32)
        gradient = tf.IndexedSlices(values, tf.constant(draw.integers(0, 300, 40)), tf.constant([rows, 3], tf.int64))
        optimizer.update([tf.convert_to_tensor(gradient) if dense else gradient])
    return {"table": table.numpy(), **{name: slot.numpy() for name, slot in optimizer.slots().items()}}


def test_rows_that_no_batch_reads_need_no_update(monkeypatch):
    whole, sparse = trained_table(note=False, dense=False), trained_table(note=True, dense=False)
    for name, values in whole.items():
        np.testing.assert_allclose(sparse[name], values, rtol=2e-6, atol=1e-8, err_msg=name)
    monkeypatch.setattr(touched_rows.TouchedRows, "gather", lambda *_: pytest.fail("a whole table is not gathered"))
    trained_table(note=False, dense=False)  # not noted: all may be touched
    trained_table(note=True, dense=True)
    with pytest.raises(pytest.fail.Exception):
        trained_table(note=True, dense=False)
