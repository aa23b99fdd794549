"""Largest differences between the model here and the reference values of `golden/model/micro`.

The values were computed with the original's code: a model of L 3, H 32, N 4, I 64, V 100, every variable perturbed.
"""

import pathlib

import numpy as np
import tensorflow as tf

from bert import checkpoint
from bert.config import BertConfig
from bert.heads import PretrainingModel, SequenceClassifier
from bert.optimization import AdamWeightDecay, WarmupLinearDecay


def micro_config(folder: pathlib.Path) -> BertConfig:
    return BertConfig.from_json_file(str(folder / "bert_config.json"))


def load(model, prefix: pathlib.Path) -> None:
    checkpoint.warm_start({variable.path: variable for variable in model.trainable_variables}, str(prefix))


def pretraining_model(folder: pathlib.Path) -> PretrainingModel:
    model = PretrainingModel(micro_config(folder))
    load(model, folder / "model.ckpt")
    return model


def batch_of(arrays, prefix: str) -> dict[str, tf.Tensor]:
    """The features below `prefix` as a batch of the input pipeline; every row is real."""
    batch = {key.removeprefix(prefix): tf.constant(arrays[key]) for key in arrays if key.startswith(prefix)}
    batch["is_real_example"] = tf.ones(batch["input_ids"].shape[0])
    return batch


def largest(found, expected) -> float:
    return float(np.max(np.abs(np.asarray(found, np.float64) - np.asarray(expected, np.float64))))


def forward_differences(folder: pathlib.Path) -> dict[str, float]:
    arrays = np.load(folder / "forward.npz")
    model, batch = pretraining_model(folder), batch_of(arrays, "in/")
    encoded = model.encoder(batch["input_ids"], batch["input_mask"], batch["segment_ids"])
    outputs = model(batch)
    terms = model.loss_terms(batch, outputs)
    found = {
        "embedding_output": encoded["embedding_output"],
        "sequence_output": encoded["sequence_output"],
        "pooled_output": encoded["pooled_output"],
        **{f"encoder_layer_{index}": value for index, value in enumerate(encoded["layer_outputs"])},
        "masked_lm_log_probs": tf.nn.log_softmax(outputs["masked_lm_logits"]),
        "next_sentence_log_probs": tf.nn.log_softmax(outputs["next_sentence_logits"]),
        "masked_lm_loss": terms["masked_lm_loss"].value,
        "next_sentence_loss": terms["next_sentence_loss"].value,
        "total_loss": sum(term.value for term in terms.values()),
    }
    return {name: largest(value, arrays[f"out/{name}"]) for name, value in found.items()}


def gradient_differences(folder: pathlib.Path) -> dict[str, float]:
    batch = batch_of(np.load(folder / "forward.npz"), "in/")
    arrays, model = np.load(folder / "grads.npz"), pretraining_model(folder)
    _, gradients = loss_and_gradients(model, batch)
    differences = {
        variable.path: largest(tf.convert_to_tensor(gradient), arrays[variable.path])
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
    }
    return {**differences, "global_norm": largest(tf.linalg.global_norm(gradients), arrays["global_norm"])}


def loss_and_gradients(model, batch):
    with tf.GradientTape() as tape:
        loss = tf.add_n([term.value for term in model.loss_terms(batch, model(batch)).values()])
    return loss, tape.gradient(loss, [variable.value for variable in model.trainable_variables])


def run_steps(model, optimizer: AdamWeightDecay, batches) -> dict[str, np.ndarray]:
    """Trains on the batches without dropout; loss, learning rate and gradient norm of every step."""
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(batch):
        loss, gradients = loss_and_gradients(model, batch)
        gradients, norm = optimizer.clip(gradients)
        learning_rate = tf.convert_to_tensor(optimizer.learning_rate)
        optimizer.apply_summed(gradients)
        return loss, learning_rate, norm

    rows = np.array([[float(value) for value in step(batch)] for batch in batches])
    return {"loss": rows[:, 0], "learning_rate": rows[:, 1], "global_norm": rows[:, 2]}


def state(model, optimizer: AdamWeightDecay) -> dict:
    return {**{variable.path: variable for variable in model.trainable_variables}, **optimizer.slots()}


def trajectory_differences(folder: pathlib.Path) -> dict[str, float]:
    """Ten steps of pre-training from model.ckpt, compared on the way and with final.ckpt at the end."""
    arrays, batches = np.load(folder / "trajectory.npz"), np.load(folder / "train_batches.npz")
    model, optimizer = pretraining_model(folder), AdamWeightDecay(WarmupLinearDecay(1e-4, 10, 3))
    found = run_steps(model, optimizer, [batch_of(batches, f"b{index}/") for index in range(10)])
    expected = {"loss": "loss", "learning_rate": "lr_used", "global_norm": "global_norm"}
    differences = {name: largest(found[name], arrays[key]) for name, key in expected.items()}
    ours = state(model, optimizer)
    final = checkpoint.read_values(str(folder / "final.ckpt"), [*ours, checkpoint.GLOBAL_STEP])
    slots = [name for name in ours if checkpoint.is_training_state(name)]
    differences["final variables"] = max(largest(ours[name], final[name]) for name in ours if name not in slots)
    differences["final slots"] = max(largest(ours[name], final[name]) for name in slots)
    differences["global_step"] = largest(optimizer.iterations, final[checkpoint.GLOBAL_STEP])
    return differences


def classifier_differences(folder: pathlib.Path) -> dict[str, float]:
    """Forward and ten steps of a three-label classifier on the encoder of model.ckpt."""
    arrays = np.load(folder / "classifier.npz")
    model = SequenceClassifier(micro_config(folder), classes=3)
    load(model, folder / "model.ckpt")
    model.projection.output_weights.assign(arrays["head_init/output_weights"])
    model.projection.output_bias.assign(arrays["head_init/output_bias"])
    batches = [batch_of(arrays, f"b{index}/") for index in range(10)]
    for batch in batches:
        batch["label_ids"] = batch["label_ids"][:, tf.newaxis]
    differences = {"logits": largest(model(batches[0])["logits"], arrays["out0/logits"])}
    schedule = WarmupLinearDecay(
        float(arrays["lr_init"]), int(arrays["num_train_steps"]), int(arrays["num_warmup_steps"])
    )
    optimizer = AdamWeightDecay(schedule)
    found = run_steps(model, optimizer, batches)
    expected = {"loss": "loss", "learning_rate": "lr_used", "global_norm": "gnorm_used"}
    differences |= {name: largest(found[name], arrays[key]) for name, key in expected.items()}
    ours = state(model, optimizer)
    differences["final variables and slots"] = max(largest(ours[name], arrays[f"final/{name}"]) for name in ours)
    return differences
