"""Checkpoints in Google's format, both ways."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert import checkpoint
from bert.errors import InputError
from bert.heads import PretrainingModel, SequenceClassifier
from bert.optimization import AdamWeightDecay, WarmupLinearDecay
from bert.training.loop import Trainer
from bert.training.run_folder import RunFolder
from tests import model_references as references


@pytest.fixture
def micro(golden):
    return golden / "model" / "micro"


def variables(model) -> dict:
    return {variable.path: variable for variable in model.trainable_variables}


def trainer_at(folder, micro) -> Trainer:
    model = PretrainingModel(references.micro_config(micro))
    optimizer = AdamWeightDecay(WarmupLinearDecay(1e-4, 20, 3))
    return Trainer(model, tf.distribute.get_strategy(), RunFolder(str(folder)), optimizer)


def copy_as_run(micro, folder, step: int) -> None:
    """Lays the original's last checkpoint into a folder as the original would have left it."""
    for file in micro.glob("final.ckpt.*"):
        (folder / file.name.replace("final.ckpt", f"model.ckpt-{step}")).write_bytes(file.read_bytes())
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "model.ckpt-{step}"\n')


def test_warm_start_reports_what_it_found(micro, caplog):
    model = SequenceClassifier(references.micro_config(micro), classes=2)
    with caplog.at_level(logging.INFO, logger="bert"):
        report = checkpoint.warm_start(variables(model), str(micro / "model.ckpt"))
        report.log()
    assert len(report.matched) == 55
    assert report.missing == ("output_weights", "output_bias")
    assert "cls/predictions/output_bias" in report.unused
    assert "STARTS RANDOM, not from the checkpoint: output_bias, output_weights" in caplog.text


def test_warm_start_takes_no_slots(micro):
    model = PretrainingModel(references.micro_config(micro))
    report = checkpoint.warm_start(variables(model), str(micro / "final.ckpt"))
    assert (len(report.matched), report.missing, report.unused) == (62, (), ())


def test_shapes_that_differ_are_all_named(micro):
    config = references.micro_config(micro).to_dict() | {"vocab_size": 90, "max_position_embeddings": 20}
    model = PretrainingModel(config)
    with pytest.raises(InputError, match=r"3 variables of another shape .*word_embeddings is \[100, 32\] there"):
        checkpoint.warm_start(variables(model), str(micro / "model.ckpt"))


def test_a_checkpoint_of_something_else(micro, tmp_path):
    checkpoint.write_variables(str(tmp_path / "other.ckpt"), {"w": np.zeros(3, np.float32)})
    with pytest.raises(InputError, match="holds none of the model's variables"):
        checkpoint.warm_start(variables(PretrainingModel(references.micro_config(micro))), str(tmp_path / "other.ckpt"))


def test_final_checkpoint_of_the_original_continues_with_its_slots(micro, tmp_path):
    """A run of the original goes on here: weights, slots, step, and the next learning rate of the schedule."""
    arrays = np.load(micro / "train_batches.npz")
    batch = references.batch_of(arrays, "b0/")
    copy_as_run(micro, tmp_path, step=10)
    trainer = trainer_at(tmp_path, micro)
    assert trainer.restore().endswith("model.ckpt-10")
    assert trainer.step == 10
    stored = checkpoint.read_values(str(micro / "final.ckpt"), trainer.optimizer.slots())
    for name, slot in trainer.optimizer.slots().items():
        np.testing.assert_array_equal(slot, stored[name])
    # The next learning rate is that of step 10 of 20, on the straight line.
    rows = references.run_steps(trainer.model, trainer.optimizer, [batch])
    assert rows["learning_rate"][0] == pytest.approx(1e-4 * 10 / 20)


def test_what_is_saved_is_what_the_original_restores(micro, tmp_path):
    """Names, shapes, dtypes and values equal those of the original's own checkpoint."""
    copy_as_run(micro, tmp_path, step=10)
    trainer = trainer_at(tmp_path, micro)
    trainer.restore()
    trainer.step = 11
    trainer.save()
    prefix = trainer.source
    assert prefix.endswith("model.ckpt-11")
    ours, theirs = tf.train.load_checkpoint(prefix), tf.train.load_checkpoint(str(micro / "final.ckpt"))
    assert ours.get_variable_to_shape_map() == theirs.get_variable_to_shape_map()
    assert ours.get_variable_to_dtype_map() == theirs.get_variable_to_dtype_map()
    for name in theirs.get_variable_to_shape_map().keys() - {checkpoint.GLOBAL_STEP}:
        np.testing.assert_array_equal(ours.get_tensor(name), theirs.get_tensor(name))


def test_tensorflow_one_restores_it(micro, tmp_path):
    """The original's own Saver, in graph mode, reads what is written here."""
    checkpoint.write_variables(str(tmp_path / "model.ckpt-1"), {"a/b": np.float32([1, 2]), "global_step": np.int64(7)})
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.get_variable("a/b", [2])
        tf.compat.v1.get_variable("global_step", [], tf.int64)
        tf.compat.v1.train.Saver().restore(session, str(tmp_path / "model.ckpt-1"))
        values = session.run(tf.compat.v1.global_variables())
    assert [list(values[0]), values[1]] == [[1.0, 2.0], 7]


def test_rotation_keeps_five_and_names_them(tmp_path):
    folder = checkpoint.CheckpointFolder(str(tmp_path))
    for step in range(8):
        folder.save(step, {"w": np.float32([step])})
    assert folder.latest() == str(tmp_path / "model.ckpt-7")
    kept = {path.name for path in tmp_path.glob("*.index")}
    assert kept == {f"model.ckpt-{step}.index" for step in range(3, 8)}
    assert (tmp_path / "checkpoint").read_text().splitlines()[0] == 'model_checkpoint_path: "model.ckpt-7"'
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-7")


def test_resolve_takes_prefix_index_and_folder(micro, tmp_path):
    prefix = str(micro / "model.ckpt")
    assert checkpoint.resolve(prefix) == checkpoint.resolve(f"{prefix}.index") == prefix
    copy_as_run(micro, tmp_path, step=10)
    assert checkpoint.resolve(str(tmp_path)) == str(tmp_path / "model.ckpt-10")
    google = tmp_path / "google"
    google.mkdir()
    checkpoint.write_variables(str(google / "bert_model.ckpt"), {"w": np.float32([1.0])})
    assert checkpoint.resolve(str(google)) == str(google / "bert_model.ckpt")
    for missing in (tmp_path / "nothing.ckpt", micro):
        with pytest.raises(InputError, match="`init_checkpoint`: no checkpoint at"):
            checkpoint.resolve(str(missing))


@pytest.mark.parametrize("damage", [lambda data: data[:1000], lambda data: b"", lambda data: b"\xff" * len(data)])
def test_damaged_data_is_one_clear_error(micro, tmp_path, damage):
    copy_as_run(micro, tmp_path, step=10)
    data = tmp_path / "model.ckpt-10.data-00000-of-00001"
    data.write_bytes(damage(data.read_bytes()))
    with pytest.raises(InputError, match=r"model\.ckpt-10: damaged"):
        trainer_at(tmp_path, micro).restore()


def test_values_are_read_one_by_one_and_variables_saved_as_they_are(tmp_path):
    prefix = str(tmp_path / "model.ckpt-1")
    variable = keras.Variable(np.float32([1, 2]))
    checkpoint.write_variables(prefix, {"a": variable, "b": tf.Variable(3.0), "global_step": np.int64(1)})
    values = checkpoint.each_value(prefix, ["b", "a"])
    assert next(values)[0] == "b"
    np.testing.assert_array_equal(next(values)[1], [1, 2])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model.ckpt-1.data-00000-of-00001",
        "model.ckpt-1.index",
    ]
