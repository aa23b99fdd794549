"""Training steps of this project, as its commands run them: records, input pipeline, `Steps.train`. And its variants,
and plain matrix products, the measure of the machine."""

import worker


class Program:
    def __init__(self, specification):
        import keras
        import tensorflow as tf

        from bert import heads, records
        from bert.config import BertConfig
        from bert.input_pipeline import RecordSet, training_batches
        from bert.optimization import AdamWeightDecay
        from bert.training import run

        set_halves = use_own_cores(specification["batch_size"])
        options = specification.get("options", {})
        change_model(options)
        config = BertConfig.from_dict({**specification["config"], **options.get("config", {})})
        keras.utils.set_random_seed(specification["seed"])
        is_pretraining = specification["kind"] == "pretraining"
        with run.precision(options.get("mixed_precision", "none")):
            model = heads.PretrainingModel(config) if is_pretraining else heads.SequenceClassifier(config, 2)
        model.recompute = options.get("recompute", False)
        set_halves(model)
        self.halved = getattr(model, "halved", False)  # an older checkout halves nothing
        optimizer = AdamWeightDecay(1e-5)
        optimizer.build(model.trainable_variables)
        if hasattr(optimizer, "note_touched_rows"):  # an older checkout has it not
            optimizer.note_touched_rows()
        kind = records.PRETRAINING if is_pretraining else records.CLASSIFIER
        record_set = RecordSet(kind, (specification["records"],), specification["sizes"])
        grouping = {"length_grouping": True} if options.get("grouped") else {}
        self.batches = training_batches(
            record_set, record_set.count, specification["batch_size"], specification["seed"], **grouping
        )
        # An older checkout packs nothing.
        self.packed = not grouping and hasattr(record_set, "has_much_padding") and record_set.has_much_padding()
        model.encoder.packed = self.packed
        self.epoch = record_set.count // specification["batch_size"]
        self.train = whole_step_in_xla(model, optimizer) if options.get("xla") else steps(model, optimizer, options)
        self.iterator = iter(self.batches)
        parameters = sum(variable.value.shape.num_elements() for variable in model.trainable_variables)
        versions = {"TensorFlow": tf.__version__, "Keras": keras.__version__}
        self.about = {"parameters": parameters, "versions": versions}

    def run(self, count):
        """Examples, the last loss, and which records they were."""
        losses, rows = self.train(self.iterator, count)
        return {"examples": rows.size, "loss": float(losses[-1]), "rows": rows.ravel().tolist()}

    def warm_up(self):
        """Steps of all sizes among the first epoch's batches, since XLA compiles gelu for each; then the measured
        batches begin anew."""
        import numpy as np
        import tensorflow as tf

        def sizes(batch):
            if not self.packed:
                return {batch["input_ids"].shape[1]}
            lengths = np.sort(batch["input_mask"].numpy().sum(axis=1))
            parts = (lengths[::2], lengths[1::2]) if self.halved else (lengths,)
            return {int(part.sum()) // 32 for part in parts}  # layouts.LIST_MULTIPLE

        chosen, met = [], set()
        for batch in self.batches.take(self.epoch):
            if sizes(batch) - met:
                chosen.append(batch)
                met |= sizes(batch)
        signature = self.batches.element_spec
        self.train(iter(tf.data.Dataset.from_generator(lambda: chosen, output_signature=signature)), len(chosen))
        self.iterator = iter(self.batches)


def use_own_cores(rows):
    """Begins as the commands do with micro-batches of `rows`; returns what tells a model whether they are halved."""
    import tensorflow as tf

    try:
        from bert import halves
    except ImportError:  # an older checkout
        return lambda model: None
    strategy = tf.distribute.get_strategy()
    halves.use_own_cores(strategy, rows)

    def set_halves(model):
        model.halved = halves.pay(model.config, strategy)

    return set_halves


def steps(model, optimizer, options):
    """The steps of the commands: (iterator, count) -> losses [count], records [count, B]."""
    import tensorflow as tf

    from bert.training.steps import Steps

    accumulation = options.get("accumulation", 1)
    compiled = Steps(model, tf.distribute.get_strategy(), optimizer, accumulation=accumulation)

    def train(iterator, count):
        values = compiled.train(iterator, tf.constant(count))
        return values["loss"].numpy(), values["record"].numpy()

    return train


def whole_step_in_xla(model, optimizer):
    """The same from a step that XLA compiles as a whole; the pipeline stays outside, XLA has no strings and files."""
    import numpy as np
    import tensorflow as tf

    variables = [variable.value for variable in model.trainable_variables]

    @tf.function(jit_compile=True)
    def step(batch):
        seed = tf.stack([0, tf.cast(optimizer.iterations.value, tf.int32)])
        with tf.GradientTape() as tape:
            outputs = model(batch, seed=seed)
            loss = tf.add_n([term.value for term in model.loss_terms(batch, outputs).values()])
        optimizer.update(tape.gradient(loss, variables))
        return loss

    def train(iterator, count):
        batches = [next(iterator) for _ in range(count)]
        losses = [step(batch).numpy() for batch in batches]
        return losses, np.stack([batch["record"].numpy() for batch in batches])

    return train


def change_model(options):
    """Puts other forms of gelu and dropout into the place of the project's."""
    if not {"gelu", "dropout"} & options.keys():
        return
    import tensorflow as tf

    from bert import layers

    def plain_gelu(x):
        return x * tf.sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x))

    def tensorflow_dropout(self, x, seed=None):
        if seed is None or self.rate == 0.0:
            return x
        own_seed = tf.random.experimental.stateless_fold_in(seed, self.path_hash)
        return tf.nn.experimental.stateless_dropout(x, self.rate, seed=own_seed)

    if options.get("gelu") == "plain":
        layers.ACTIVATIONS["gelu"] = plain_gelu
    if options.get("dropout") == "tensorflow":
        layers.Dropout.call = tensorflow_dropout


class Products:
    """The matrix product of the model's widest layer, [B * S, H] times [H, I], over and over: 10 are a step."""

    def __init__(self, specification):
        import tensorflow as tf

        rows, inner, columns = specification["shape"]
        self.left, self.right = tf.random.normal([rows, inner]), tf.random.normal([inner, columns])
        self.matmul, self.operations = tf.matmul, 2 * rows * inner * columns
        self.about = {"parameters": None, "versions": {}}

    def run(self, count):
        for _ in range(10 * count):
            product = self.matmul(self.left, self.right)
        return {"examples": 0, "loss": float(product[0, 0]), "operations": 10 * count * self.operations}

    def warm_up(self):
        self.run(1)


if __name__ == "__main__":
    worker.serve(lambda specification: (Products if "shape" in specification else Program)(specification))
