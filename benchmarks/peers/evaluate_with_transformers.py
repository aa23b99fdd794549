"""The same with transformers on torch, eager, in inference mode, its own model and attention (sdpa). Rows come from
memory, each batch is cut to its longest row as DataCollatorWithPadding does it; `sorted`: the longest rows first, as
Trainer's group_by_length has it, else as they lie in the file. Logits are put back into the order of the file."""

import worker


class Program:
    def __init__(self, specification):
        import numpy as np
        import torch
        import transformers

        self.torch = torch
        torch.manual_seed(specification["seed"])
        config = transformers.BertConfig(num_labels=2, **specification["config"])
        self.model = transformers.BertForSequenceClassification(config).eval()
        loaded = np.load(specification["arrays"])
        self.columns = {name: loaded[name] for name in loaded.files}
        self.lengths = self.columns["input_mask"].sum(axis=1)
        order = np.argsort(-self.lengths, kind="stable") if specification["sorted"] else np.arange(len(self.lengths))
        size = specification["batch_size"]
        self.batches = [order[first : first + size] for first in range(0, len(order), size)]
        parameters = sum(parameter.numel() for parameter in self.model.parameters())
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        self.about = {"parameters": parameters, "versions": versions}

    def run(self, count):
        for _ in range(count):
            loss = self.once()
        return {"examples": count * len(self.lengths), "loss": loss}

    def once(self):
        torch = self.torch
        names = {"input_ids": "input_ids", "attention_mask": "input_mask", "token_type_ids": "segment_ids"}
        logits = torch.empty([len(self.lengths), 2])
        with torch.inference_mode():
            for rows in self.batches:
                longest = int(self.lengths[rows].max())
                inputs = {
                    name: torch.from_numpy(self.columns[ours][rows, :longest]).long() for name, ours in names.items()
                }
                logits[torch.from_numpy(rows)] = self.model(**inputs).logits
        labels = torch.from_numpy(self.columns["label_ids"][:, 0]).long()
        return torch.nn.functional.cross_entropy(logits, labels).item()

    def warm_up(self):
        self.run(1)


if __name__ == "__main__":
    worker.serve(Program)
