"""Training steps of transformers on torch, eager: its own model, attention (sdpa) and the optimizer of its Trainer,
clipping included. Rows are cut to the batch's longest with padding `longest`, as DataCollatorWithPadding does it."""

import worker


class Program:
    def __init__(self, specification):
        import torch
        import transformers

        self.torch = torch
        torch.manual_seed(specification["seed"])
        config = transformers.BertConfig(num_labels=2, **specification["config"])
        self.masks = specification["kind"] == "pretraining"
        kind = transformers.BertForPreTraining if self.masks else transformers.BertForSequenceClassification
        self.model = kind(config).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5, weight_decay=0.01, fused=True)
        self.rows = worker.Rows(specification["arrays"], specification["batch_size"], specification["seed"])
        self.cut = specification["padding"] == "longest"
        parameters = sum(parameter.numel() for parameter in self.model.parameters())
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        self.about = {"parameters": parameters, "versions": versions}

    def run(self, steps):
        examples = 0
        for _ in range(steps):
            batch = self.rows.next()
            examples += len(batch["input_ids"])
            if self.cut:
                longest = int(batch["input_mask"].sum(axis=1).max())
                long = ("input_ids", "input_mask", "segment_ids")
                batch = {name: value[:, :longest] if name in long else value for name, value in batch.items()}
            loss = self.step({name: self.torch.from_numpy(value).long() for name, value in batch.items()})
        return {"examples": examples, "loss": loss}

    def step(self, batch):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(batch)
        loss.backward()
        self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()

    def loss(self, batch):
        names = {"input_ids": "input_ids", "attention_mask": "input_mask", "token_type_ids": "segment_ids"}
        inputs = {name: batch[ours] for name, ours in names.items()}
        if not self.masks:
            return self.model(**inputs, labels=batch["label_ids"][:, 0]).loss
        # The model's own forward scores the vocabulary at every position; here the masked ones are gathered first.
        encoded = self.model.bert(**inputs)
        positions = batch["masked_lm_positions"][:, :, None].expand(-1, -1, encoded.last_hidden_state.shape[-1])
        hidden = encoded.last_hidden_state.gather(1, positions)  # [B, P, H]
        words, sentences = self.model.cls(hidden, encoded.pooler_output)
        cross_entropy = self.torch.nn.functional.cross_entropy
        masked_lm = cross_entropy(words.flatten(0, 1), batch["masked_lm_ids"].flatten())
        return masked_lm + cross_entropy(sentences, batch["next_sentence_labels"][:, 0])

    def warm_up(self):
        self.run(1)


if __name__ == "__main__":
    worker.serve(Program)
