"""Fine-tunes a BertForSequenceClassification of transformers on torch, and writes what it predicts for the dev set.

Optimizer (fused AdamW, epsilon 1e-8), schedule, clipping and the padding of a batch to its longest row are those of
transformers' Trainer; as in ours the epochs follow each other in full batches. The files are read in plain Python,
the pieces come from transformers' own tokenizer. Needs torch and transformers, nothing of this project.

    python fine_tune_with_transformers.py SPECIFICATION

The specification is JSON: `task`, `data_dir`, `model_dir` (vocab.txt), `config` (as in a config.json), `weights` (an
.npz under transformers' names), `max_seq_length`, `batch_size`, `learning_rate`, `epochs`, `seed`, and the file to
write, `output`. What `as_here` lists is as in this project: the `schedule`, the `epsilon`, how the `head` begins.
"""

import csv
import functools
import json
import math
import pathlib
import random
import sys

WARMUP_PROPORTION = 0.1
WEIGHT_DECAY = 0.01
EPSILON = 1e-8  # of transformers' Trainer
SECOND_MOMENT_DECAY = 0.999
STEPS_BETWEEN_LINES = 50

# Task -> columns of the texts, column of the label, whether train.tsv and dev.tsv open with a header line.
GLUE = {"mrpc": ((3, 4), 0, True), "cola": ((3,), 1, False), "sts-b": ((7, 8), -1, True)}
REGRESSION = ("sts-b",)


def read(task, data_dir, split):
    """Texts (a list of one or two a row) and labels of the split `train` or `dev`; numbers are floats."""
    if task == "banking77":
        name = {"train": "train.csv", "dev": "test.csv"}[split]
        with open(pathlib.Path(data_dir, name), encoding="utf-8", newline="") as file:
            rows = [([row["text"]], row["category"]) for row in csv.DictReader(file)]
    else:
        columns, label, has_header = GLUE[task]
        lines = pathlib.Path(data_dir, f"{split}.tsv").read_text(encoding="utf-8-sig").rstrip("\n").split("\n")
        fields = [line.split("\t") for line in lines[has_header:]]  # quotation marks are text in GLUE
        rows = [([row[column] for column in columns], row[label]) for row in fields]
    texts, labels = [row[0] for row in rows], [row[1] for row in rows]
    return texts, list(map(float, labels)) if task in REGRESSION else labels


class FineTuning:
    """The model, its tokenizer and the names of its labels (none for a regression)."""

    def __init__(self, specification, names):
        import torch
        import transformers

        self.torch, self.transformers, self.specification, self.names = torch, transformers, specification, names
        torch.manual_seed(specification["seed"])
        folder = pathlib.Path(specification["model_dir"])
        problem = "single_label_classification" if names else "regression"
        values = {**specification["config"], "num_labels": len(names) or 1, "problem_type": problem}
        config = transformers.BertConfig.from_dict(values)
        self.model = transformers.BertForSequenceClassification(config)
        self.load(specification["weights"])
        self.as_here = set(specification.get("as_here", ()))
        if "head" in self.as_here:  # normal without what is further than two deviations from 0
            deviation = config.initializer_range
            torch.nn.init.trunc_normal_(self.model.classifier.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
        pieces = (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
        vocabulary = {piece: number for number, piece in enumerate(pieces)}
        self.tokenizer = transformers.BertTokenizer(vocab=vocabulary, do_lower_case=True)

    def load(self, path):
        """Takes encoder and pooler from the .npz; only the classifier may be missing there."""
        import numpy as np

        loaded = np.load(path)
        weights = {name: self.torch.from_numpy(loaded[name]) for name in loaded.files}
        found = self.model.load_state_dict(weights, strict=False)
        missing = [name for name in found.missing_keys if not name.startswith("classifier.")]
        if missing or found.unexpected_keys:
            raise SystemExit(f"{path}: missing {missing}, unexpected {found.unexpected_keys}")

    def rows(self, texts, labels):
        """Examples as dicts of lists, with `labels`."""
        first, second = [row[0] for row in texts], [row[-1] for row in texts]
        pairs = (first, second) if len(texts[0]) == 2 else (first,)
        encoded = self.tokenizer(*pairs, truncation=True, max_length=self.specification["max_seq_length"])
        targets = [self.names.index(label) for label in labels] if self.names else labels
        names = self.tokenizer.model_input_names
        return [
            {**{name: encoded[name][number] for name in names}, "labels": target}
            for number, target in enumerate(targets)
        ]

    def optimizer(self, total_steps):
        """AdamW and its schedule; biases and LayerNorm do not decay."""
        exempt = {name for name, _ in self.model.named_parameters() if name.endswith("bias") or "LayerNorm" in name}
        groups = [
            {
                "params": [value for name, value in self.model.named_parameters() if (name in exempt) == is_exempt],
                "weight_decay": 0.0 if is_exempt else WEIGHT_DECAY,
            }
            for is_exempt in (False, True)
        ]
        optimizer = self.torch.optim.AdamW(groups, lr=self.specification["learning_rate"], eps=EPSILON, fused=True)
        warmup_steps = int(total_steps * WARMUP_PROPORTION)
        if "schedule" in self.as_here:
            share = functools.partial(google_share, warmup_steps, total_steps)
            return optimizer, self.torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return optimizer, self.transformers.get_linear_schedule_with_warmup(optimizer, warmup_steps, total_steps)

    def train(self, rows):
        """Says a line every so many steps."""
        batch_size, epochs = self.specification["batch_size"], self.specification["epochs"]
        total_steps = int(len(rows) / batch_size * epochs)
        optimizer, schedule = self.optimizer(total_steps)
        collate = self.transformers.DataCollatorWithPadding(self.tokenizer)
        order = endless_order(len(rows), self.specification["seed"])
        self.model.train()
        losses = []
        for step in range(1, total_steps + 1):
            loss = self.model(**collate([rows[next(order)] for _ in range(batch_size)])).loss
            loss.backward()
            self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            if "epsilon" in self.as_here:
                for group in optimizer.param_groups:
                    group["eps"] = google_epsilon(step)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
            if step % STEPS_BETWEEN_LINES == 0 or step == total_steps:
                print(
                    f"step {step} of {total_steps}, loss {sum(losses) / len(losses):.4f}", file=sys.stderr, flush=True
                )
                losses = []

    def predict(self, rows):
        """The label of each row by name, or its score."""
        collate = self.transformers.DataCollatorWithPadding(self.tokenizer)
        batch_size = self.specification["batch_size"]
        self.model.eval()
        predictions = []
        with self.torch.inference_mode():
            for start in range(0, len(rows), batch_size):
                logits = self.model(**collate(rows[start : start + batch_size])).logits  # [B, C]
                predictions += logits.argmax(dim=-1).tolist() if self.names else logits[:, 0].tolist()
        return [self.names[number] for number in predictions] if self.names else predictions


def google_share(warmup_steps, total_steps, step):
    """The share of the learning rate that Google's original uses at a step: the line down begins at step 0, so where
    the warmup ends it falls from 1 to 0.9."""
    return step / warmup_steps if step < warmup_steps else 1 - step / total_steps


def google_epsilon(step):
    """What torch has to be told at a step, from 1 on, to add Google's 1e-6: the original adds it to the root of the
    second moment as it is, torch to that of the corrected one."""
    return 1e-6 / math.sqrt(1 - SECOND_MOMENT_DECAY**step)


def endless_order(count, seed):
    """Row numbers, epoch after epoch, each shuffled."""
    generator = random.Random(seed)
    while True:
        numbers = list(range(count))
        generator.shuffle(numbers)
        yield from numbers


def main(specification):
    task, data_dir = specification["task"], specification["data_dir"]
    texts, labels = read(task, data_dir, "train")
    dev_texts, gold = read(task, data_dir, "dev")
    tuning = FineTuning(specification, [] if task in REGRESSION else sorted(set(labels)))
    tuning.train(tuning.rows(texts, labels))
    answer = {"gold": gold, "predictions": tuning.predict(tuning.rows(dev_texts, gold))}
    pathlib.Path(specification["output"]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
