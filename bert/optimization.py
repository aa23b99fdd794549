"""The optimizer and the schedule BERT was trained with (appendix A.2; the exact form is docs/parity.md 9)."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from bert.touched_rows import LEAST_ROWS, TouchedRows, adam_update

FIRST_LOSS_SCALE = 2.0**15
STEPS_TO_DOUBLE = 2000
NO_DECAY = re.compile("LayerNorm|layer_norm|bias")  # weight decay passes over a variable whose path has one of these


def done(function: Callable[[], None]) -> Callable[[], bool]:
    """The function as a branch of tf.cond, which has to return something."""

    def branch() -> bool:
        function()
        return True

    return branch


@keras.saving.register_keras_serializable(package="bert")
class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear from 0 to the peak in `warmup_steps`; after that on the straight line from the peak at step 0 to 0 at
    `total_steps`. The step is the one about to be taken, so with warmup the first update changes nothing."""

    def __init__(self, peak: float, total_steps: int, warmup_steps: int = 0) -> None:
        self.peak, self.total_steps, self.warmup_steps = peak, total_steps, warmup_steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        decayed = self.peak * (1.0 - tf.minimum(step, float(self.total_steps)) / float(self.total_steps))
        if not self.warmup_steps:
            return decayed
        return tf.where(step < self.warmup_steps, self.peak * step / float(self.warmup_steps), decayed)

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "total_steps": self.total_steps, "warmup_steps": self.warmup_steps}


@keras.saving.register_keras_serializable(package="bert")
class AdamWeightDecay(keras.optimizers.Optimizer):
    """Adam (Kingma & Ba 2015) without bias correction, with weight decay beside the gradient instead of in it:

        m = β₁ m + (1 - β₁) g;   v = β₂ v + (1 - β₂) g²;   w = w - lr · (m / (√v + ε) + decay · w)

    after all gradients together were scaled down to a global norm of at most `clip_norm`. The slots are variables
    `<path>/adam_m` and `<path>/adam_v`. With `bias_correction`, which the original does not have, m / √v is multiplied
    by √(1 - β₂ᵗ) / (1 - β₁ᵗ) in the t-th update, so that the first hundreds of them are not too large.
    """

    def __init__(
        self,
        learning_rate: float | WarmupLinearDecay = 5e-5,
        decay: float = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        clip_norm: float = 1.0,
        bias_correction: bool = False,
        loss_scaling: bool = False,
        name: str = "adam_weight_decay",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.decay, self.beta_1, self.beta_2, self.epsilon = decay, beta_1, beta_2, epsilon
        self.clip_norm, self.bias_correction, self.loss_scaling = clip_norm, bias_correction, loss_scaling

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self.adam_m = [self.add_variable_from_reference(v, name="adam_m") for v in variables]
        self.adam_v = [self.add_variable_from_reference(v, name="adam_v") for v in variables]
        # Several replicas add their gradients up as whole tables (bert/training/steps.py).
        self._touched = {
            index: TouchedRows(variable.shape[0])
            for index, variable in enumerate(variables)
            if len(variable.shape) == 2 and variable.shape[0] >= LEAST_ROWS and not tf.distribute.has_strategy()
        }

        if self.loss_scaling:
            shared = {"shape": (), "aggregation": "only_first_replica"}
            self.loss_scale = self.add_variable(
                **shared, initializer=keras.initializers.Constant(FIRST_LOSS_SCALE), name="loss_scale"
            )
            self.finite_steps = self.add_variable(**shared, initializer="zeros", name="finite_steps")
            self.skipped_steps = self.add_variable(**shared, initializer="zeros", name="skipped_steps")

    def slots(self) -> dict[str, keras.Variable]:
        """Checkpoint name -> slot variable."""
        named = {}
        for index, variable in enumerate(self._trainable_variables):
            named[f"{variable.path}/adam_m"] = self.adam_m[index]
            named[f"{variable.path}/adam_v"] = self.adam_v[index]
        if self.loss_scaling:
            named |= {
                "loss_scale": self.loss_scale,
                "loss_scale/finite_steps": self.finite_steps,
                "loss_scale/skipped_steps": self.skipped_steps,
            }
        return named

    def note_touched_rows(self) -> None:
        """To be called before the first step, when the slots have their values: makes steps faster, nothing else."""
        for index, touched in self._touched.items():
            touched.note(self.adam_m[index].value, self.adam_v[index].value)

    @property
    def schedule(self) -> float | WarmupLinearDecay:
        """The learning rate as it was given; `learning_rate` is that of the step about to be taken."""
        return self._learning_rate

    def forget(self) -> None:
        """Back to where no step was taken."""
        for slot in (*self.adam_m, *self.adam_v):
            slot.assign(tf.zeros_like(slot))
        self.iterations.assign(0)
        if self.loss_scaling:
            self.loss_scale.assign(FIRST_LOSS_SCALE)
            self.finite_steps.assign(0.0)
            self.skipped_steps.assign(0.0)

    def scaled(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss to take gradients of: with loss scaling so large that half precision does not lose them."""
        return loss * self.loss_scale if self.loss_scaling else loss

    def update(self, gradients: Sequence) -> tf.Tensor:
        """Clips and applies gradients of the scaled loss, summed over replicas; returns their global norm, unscaled.

        With loss scaling a step whose gradients overflowed changes nothing but the scale, which is halved; after
        `STEPS_TO_DOUBLE` finite steps it is doubled (Micikevicius et al. 2018).
        """
        if not self.loss_scaling:
            gradients, norm = self.clip(gradients)
            self.apply_summed(gradients)
            return norm
        gradients = [tf.convert_to_tensor(gradient) / self.loss_scale for gradient in gradients]
        norm = tf.linalg.global_norm(gradients)
        finite = tf.math.is_finite(norm)
        factor = self.clip_norm / tf.maximum(norm, self.clip_norm)
        self.apply_summed([gradient * factor for gradient in gradients], only_if=finite)
        finite_steps = tf.where(finite, self.finite_steps + 1.0, 0.0)
        grown = tf.where(finite_steps >= STEPS_TO_DOUBLE, self.loss_scale * 2.0, tf.convert_to_tensor(self.loss_scale))
        self.loss_scale.assign(tf.where(finite, grown, self.loss_scale / 2.0))
        self.finite_steps.assign(tf.where(finite_steps >= STEPS_TO_DOUBLE, 0.0, finite_steps))
        self.skipped_steps.assign_add(tf.where(finite, 0.0, 1.0))
        return norm

    def clip(self, gradients: Sequence) -> tuple[list, tf.Tensor]:
        """Scales all gradients together to a global norm of at most `clip_norm`; returns them and the norm before.

        Rows that a sparse gradient holds twice count twice in the norm, as in the original (docs/parity.md 9).
        """
        return tf.clip_by_global_norm(gradients, self.clip_norm)

    def _clip_gradients(self, gradients: Sequence) -> list:
        """What Keras's `fit` asks for before it applies them."""
        return self.clip(gradients)[0]

    def apply_summed(self, gradients: Sequence, only_if: tf.Tensor | None = None) -> None:
        """One update, in replica context, with gradients in the order of `build` that replicas have already summed.

        Where `only_if`, a boolean scalar, is False the step is counted and changes nothing.
        """

        conditions = () if only_if is None else (only_if,)

        def update_all(
            strategy: tf.distribute.Strategy, gradients: Sequence[tf.Tensor], *conditions: tf.Tensor
        ) -> None:
            learning_rate, correction = tf.convert_to_tensor(self.learning_rate), self._correction()

            def update(
                variable: tf.Variable,
                gradient: tf.Tensor,
                learning_rate: tf.Tensor,
                correction: tf.Tensor,
                only_if: tf.Tensor | None = None,
            ) -> None:
                if only_if is None:
                    self.update_step(gradient, variable, learning_rate, correction)
                else:
                    step = functools.partial(self.update_step, gradient, variable, learning_rate, correction)
                    tf.cond(only_if, done(step), lambda: True)

            for variable, gradient in zip(self._trainable_variables, gradients, strict=True):
                strategy.extended.update(
                    variable.value,
                    update,
                    args=(gradient, learning_rate, correction, *conditions),
                    group=False,
                )

        tf.distribute.get_replica_context().merge_call(update_all, args=(tuple(gradients), *conditions))
        self.iterations.assign_add(1)

    def _correction(self) -> tf.Tensor:
        """What m / √v is multiplied by in the step that is about to be taken."""
        if not self.bias_correction:
            return tf.constant(1.0)
        step = tf.cast(self.iterations.value, tf.float32) + 1.0
        if self.loss_scaling:
            step -= tf.convert_to_tensor(self.skipped_steps)  # what a skipped step left in the slots is nothing
        return tf.sqrt(1.0 - self.beta_2**step) / (1.0 - self.beta_1**step)

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor, correction: tf.Tensor | None = None
    ) -> None:
        correction = self._correction() if correction is None else correction
        index = self._get_variable_index(variable)
        m, v = self.adam_m[index].value, self.adam_v[index].value
        learning_rate = tf.cast(learning_rate, variable.dtype)
        decay = 0.0 if NO_DECAY.search(self._trainable_variables[index].path) else self.decay
        kept = 1.0 - learning_rate * decay
        rate = learning_rate * correction

        def update_all() -> None:
            if decay:
                variable.assign(variable * kept)
            # One kernel for the whole update; with both powers of beta 0 it corrects no bias itself.
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=0.0,
                beta2_power=0.0,
                lr=rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=tf.convert_to_tensor(gradient),
            )

        if not (isinstance(gradient, tf.IndexedSlices) and index in self._touched):
            update_all()
            return
        touched = self._touched[index]

        def update_touched() -> None:
            rows = touched.gather(gradient)
            update = rate * adam_update(m, v, rows, self.beta_1, self.beta_2, self.epsilon)
            # To scatter into a variable would make every later read of it a copy.
            variable.assign(tf.tensor_scatter_nd_sub(variable * kept, rows.indices[:, tf.newaxis], update))

        tf.cond(touched.add(gradient.indices), done(update_touched), done(update_all))

    def get_config(self) -> dict[str, Any]:
        own = ("decay", "beta_1", "beta_2", "epsilon", "clip_norm", "bias_correction", "loss_scaling")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
