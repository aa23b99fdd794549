"""A tiny knowledge base, questions, and run_retrieval on them."""

import random

from tests import commands, trained

LENGTH = 16
TOPICS = {"pay": "the company trade", "time": "after bell", "who": "her group", "new": "new old", "no": "said no in"}


def question(topic: str, chance: random.Random) -> str:
    """The words of a topic and others around them, in any order."""
    parts = [*TOPICS[topic].split(), *chance.sample(trained.WORDS, 2)]
    chance.shuffle(parts)
    return " ".join(parts)


def table(count: int, seed: int, column: str = "question") -> str:
    """Questions of all topics in turn, with their answers."""
    chance = random.Random(seed)
    topics = [list(TOPICS)[row % len(TOPICS)] for row in range(count)]
    lines = [f"{question(topic, chance)}\t{topic}\tabout {topic}\n" for topic in topics]
    return f"{column}\tanswer_id\tanswer\n" + "".join(lines)


class Run:
    """A knowledge base and questions, a tiny model's config, and an output folder that the command fills."""

    def __init__(self, folder, **flags):
        self.folder, self.output = folder, folder / "output"
        (folder / "faq.tsv").write_text(table(40, seed=1))
        (folder / "dev.tsv").write_text(table(20, seed=2, column="text") + "and and and\t\t\n")
        (folder / "ask.tsv").write_text("text\nthe company trade\nher group of\n")
        self.model = {
            "vocab_file": commands.VOCABULARY,
            "bert_config_file": commands.write_config(folder, initializer_range=0.1),
            "max_seq_length": LENGTH,
            "output_dir": self.output,
        }
        self.flags = {"knowledge_file": folder / "faq.tsv", "dev_file": folder / "dev.tsv", **flags}
        self.flags |= {"train_batch_size": 8, "learning_rate": 2e-3, "num_train_epochs": 4}

    def __call__(self, *arguments: str, **flags):
        return commands.run("bert.commands.run_retrieval", *arguments, **{**self.model, **self.flags, **flags})

    def done(self, *arguments: str, **flags):
        outcome = self(*arguments, **flags)
        assert outcome.status == 0, outcome.stderr
        return outcome


def rows_of(path) -> list[dict[str, str]]:
    header, *lines = path.read_text().splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
