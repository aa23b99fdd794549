"""run_tagger.py as a user runs it: names in BIO, long sentences, Chinese, prediction later on, and what it refuses."""

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf

from bert.config import BertConfig
from bert.heads import TokenClassifier
from bert.tasks.tagging import conll, evaluation, windows
from bert.tokenization import Tokenizer, Vocabulary
from tests import commands, numpy_bert

LENGTH = 16
# A river is named by what stands before it, a march by what stands after it.
PLACE, EVENT = ("old river", "B-LOC I-LOC"), ("march two", "B-EVENT I-EVENT")
OTHERS = [(word, "O") for word in ("the steam engine", "and", "read to her", "in", "march", "of the old game")]


def sentences(count: int, parts: int, seed: int) -> str:
    """CoNLL text: sentences of some phrases, of several WordPieces a word here and there."""
    generator = np.random.default_rng(seed)
    phrases = [PLACE, EVENT, ("steamer", "B-LOC"), *OTHERS]
    lines = []
    for _ in range(count):
        for index in generator.integers(len(phrases), size=generator.integers(1, parts + 1)):
            words, tags = phrases[index]
            lines += [f"{word} {tag}" for word, tag in zip(words.split(), tags.split() * 9, strict=False)]
        lines.append("")
    return "\n".join(lines) + "\n"


class Run:
    """Files to learn from, a tiny model's config, and an output folder that the commands fill."""

    def __init__(self, folder, files: dict[str, str], **flags):
        self.data, self.output = folder / "data", folder / "output"
        self.data.mkdir()
        for name, text in files.items():
            (self.data / f"{name}.txt").write_text(text, encoding="utf-8")
        self.flags = {
            "data_dir": self.data,
            "vocab_file": commands.VOCABULARY,
            "bert_config_file": commands.write_config(
                folder, hidden_dropout_prob=0, attention_probs_dropout_prob=0, initializer_range=0.1
            ),
            "output_dir": self.output,
            "max_seq_length": LENGTH,
            "train_batch_size": 16,
            "learning_rate": 3e-3,
            **flags,
        }

    def __call__(self, *arguments: str, **flags):
        return commands.run("run_tagger", *arguments, **{**self.flags, **flags})

    def read(self, name: str) -> str:
        return (self.output / name).read_text(encoding="utf-8")

    @property
    def predictions(self) -> list[str]:
        """The last column of test_predictions.txt, without the lines of documents."""
        lines = self.read("test_predictions.txt").splitlines()
        return [line.split()[-1] for line in lines if line.strip() and not line.startswith("-DOCSTART-")]

    def built(self, split: str) -> windows.SentenceWindows:
        text = conll.read(str(self.data / f"{split}.txt"), tags_required=False)
        tokenizer = Tokenizer(Vocabulary.from_file(str(commands.VOCABULARY)), do_lower_case=True)
        return windows.build(text, json.loads(self.read("labels.json"))["labels"], tokenizer, LENGTH)

    def scores(self, split: str) -> np.ndarray:
        """The scores of every word, [T, C], in plain numpy: every window at full length."""
        built = self.built(split)
        state = tf.train.latest_checkpoint(str(self.output))
        bert = numpy_bert.Bert(numpy_bert.read_variables(state), heads=2)
        sequence, _ = bert.encode(built.features(0, len(built)))
        logits = sequence @ bert.v["output_weights"].T + bert.v["output_bias"]  # [W, S, C]
        return np.concatenate([logits[window, built.positions(window)] for window in range(len(built))])


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Spans of two types, learned, evaluated and predicted in one command; test.txt is longer than a row."""
    test = "-DOCSTART- O\n\n" + sentences(20, 12, seed=3).replace("and O", "\u200b\tO")
    files = {"train": sentences(300, 12, seed=1), "dev": sentences(40, 12, seed=2), "test": test}
    run = Run(tmp_path_factory.mktemp("names"), files)
    run.outcome = run("--do_train", "--do_eval", "--do_predict", num_train_epochs=8)
    return run


def test_it_learns_to_tell_names(names):
    assert (names.outcome.status, names.outcome.stdout) == (0, ""), names.outcome.stderr
    results = commands.results(names.output)
    expected = ["eval_accuracy", "eval_f1", "eval_loss", "eval_precision", "eval_recall", "global_step"]
    assert list(results) == expected
    assert float(results["eval_f1"]) > 0.8
    assert int(results["global_step"]) == int(len(names.built("train")) / 16 * 8)


def test_the_results_are_those_of_plain_numpy(names):
    """Every word once, though the sentences of dev.txt need several windows."""
    built, scores = names.built("dev"), names.scores("dev")
    assert len(built) > len(built.text.splits) - 1
    labels = built.labels
    tags = [labels[label] for label in scores.argmax(axis=1)]
    report = evaluation.evaluate(built.text.tags, tags, built.text.splits, "bio")
    written = json.loads(names.read("eval_report.json"))
    assert (written.pop("task"), written.pop("global_step")) == (
        "tagging",
        int(commands.results(names.output)["global_step"]),
    )
    assert written.pop("loss") > 0
    assert written == json.loads(json.dumps(report.values()))
    found = {name: float(value) for name, value in commands.results(names.output).items()}
    losses = -numpy_bert.log_softmax(scores)[np.arange(len(tags)), [labels.index(tag) for tag in built.text.tags]]
    assert found["eval_loss"] == pytest.approx(losses.mean(), abs=1e-5)
    assert found["eval_accuracy"] == pytest.approx(report.accuracy)
    assert found["eval_f1"] == pytest.approx(report.micro.f1)


def test_tags_out_are_words_in(names):
    """The file with one column more: documents, blank lines, words that vanish, words behind max_seq_length."""
    lines, before = (
        path.read_text().splitlines() for path in (names.output / "test_predictions.txt", path_of_test(names))
    )
    assert len(lines) == len(before)
    for line, old in zip(lines, before, strict=True):
        assert line.startswith(old)
        assert bool(line) == bool(old)
    labels = names.built("test").labels
    assert names.predictions == [labels[label] for label in names.scores("test").argmax(axis=1)]
    assert lines[0] == "-DOCSTART- O O"
    assert [line for line in lines if line.startswith("\u200b\tO\t")]
    assert "test_f1 = " in names.read("test_results.txt")


def path_of_test(run: Run):
    return run.data / "test.txt"


def test_the_log_tells_what_was_done(names):
    for fixed in (
        "5 labels, scheme bio.",
        "*** Example ***\nunique_id: 0\ntokens: [CLS] ",
        "***** Running training *****",
        "  A model that guesses has loss 1.609",
        "Predicting ",
        "all (micro)",
        "***** Eval results *****\n  eval_accuracy = ",
        f"Wrote the predictions to {names.output / 'test_predictions.txt'}",
    ):
        assert fixed in names.outcome.stderr


def test_the_checkpoint_is_a_classifiers(names):
    """Google's names for the head, and a pooler without slots, since nothing trains it (docs/parity.md 9)."""
    shapes = dict(tf.train.list_variables(tf.train.latest_checkpoint(str(names.output))))
    assert shapes["output_weights"] == shapes["output_weights/adam_v"] == [5, 32]
    assert shapes["output_bias"] == [5]
    assert [name for name in shapes if "pooler" in name] == ["bert/pooler/dense/bias", "bert/pooler/dense/kernel"]


def test_predicting_later_needs_no_training_file_and_no_tags(names, tmp_path):
    """Other batches, other neighbours: the same tags. A file without tags is not judged."""
    words = [line.split()[0] if line else "" for line in path_of_test(names).read_text().splitlines()[2:]]
    (tmp_path / "test.txt").write_text("\n".join(words) + "\n")
    first = names.predictions
    (names.output / "test_results.txt").unlink()
    outcome = names("--do_predict", data_dir=tmp_path, predict_batch_size=3)
    assert outcome.status == 0, outcome.stderr
    assert "test.txt has no tags: nothing to evaluate." in outcome.stderr
    assert not (names.output / "test_results.txt").exists()
    assert names.predictions == first


def test_a_trained_model_is_asked_from_another_folder(names, tmp_path):
    """With --init_checkpoint alone: its labels.json is read; another scheme or casing is refused."""
    words = [line.split()[0] if line else "" for line in path_of_test(names).read_text().splitlines()[2:]]
    (tmp_path / "test.txt").write_text("\n".join(words) + "\n")
    flags = {"data_dir": tmp_path, "output_dir": tmp_path / "asked", "init_checkpoint": names.output}
    outcome = names("--do_predict", **flags)
    assert outcome.status == 0, outcome.stderr
    lines = (tmp_path / "asked" / "test_predictions.txt").read_text().splitlines()
    assert [line.split()[-1] for line in lines if line] == names.predictions
    path = names.output / "labels.json"
    flags["output_dir"] = tmp_path / "other"
    error = names("--do_predict", scheme="plain", **flags).error
    assert error == f"{path}: the model was trained with scheme bio, this run has plain (--scheme=plain)"
    error = names("--do_predict", do_lower_case=False, **flags).error
    assert error.startswith(f"{path}: the model was trained with do_lower_case True, this run has False")


def test_constrained_decoding_never_predicts_what_the_scheme_forbids(tmp_path):
    """A model that has hardly learned anything breaks the rules; constrained, it cannot."""
    files = {"train": sentences(40, 4, seed=1), "test": sentences(20, 12, seed=3)}
    run = Run(tmp_path, files, learning_rate=1e-5)
    broken = []
    for constrained in (False, True):
        outcome = run("--do_train", "--do_predict", num_train_epochs=1, constrained_decoding=constrained)
        assert outcome.status == 0, outcome.stderr
        splits = run.built("test").text.splits
        parts = [["O", *run.predictions[begin:end]] for begin, end in itertools.pairwise(splits)]
        pairs = [pair for part in parts for pair in itertools.pairwise(part)]
        broken.append(sum(tag[:2] == "I-" and before[1:] != tag[1:] for before, tag in pairs))
    assert broken[0] > 0
    assert broken[1] == 0


def test_chinese_by_characters_and_plain_tags(tmp_path):
    """Segmentation, a character a line, without O; then the same as plain tags of words."""
    text = "".join(f"{c}\t{tag}\n" for c, tag in zip("北京是金的", "BIBBI", strict=True)) + "\n"
    run = Run(tmp_path, {"train": text * 64, "dev": text * 3, "test": text})
    outcome = run("--do_train", "--do_eval", "--do_predict", "--constrained_decoding", num_train_epochs=10)
    assert outcome.status == 0, outcome.stderr
    assert run.read("test_predictions.txt") == "北\tB\tB\n京\tI\tI\n是\tB\tB\n金\tB\tB\n的\tI\tI\n\n"
    assert json.loads(run.read("eval_report.json"))["types"]["_"]["gold"] == 9

    text = "北京\tns\n是\tv\n金的\tn\n\n"
    for split in ("train", "dev"):
        (run.data / f"{split}.txt").write_text(text * 64)
    outcome = run("--do_train", "--do_eval", num_train_epochs=10, output_dir=tmp_path / "words")
    assert outcome.status == 0, outcome.stderr
    assert list(commands.results(tmp_path / "words")) == ["eval_accuracy", "eval_loss", "global_step"]
    assert "eval_accuracy = 1.0" in outcome.stderr


def test_evaluation_on_the_way_keeps_the_best(tmp_path):
    files = {"train": sentences(64, 4, seed=1), "dev": sentences(10, 4, seed=2)}
    run = Run(tmp_path, files)
    outcome = run("--do_train", "--do_eval", num_train_epochs=3, eval_every_steps=4, best_metric="token_accuracy")
    assert outcome.status == 0, outcome.stderr
    entries = [json.loads(line) for line in run.read("evaluations.jsonl").splitlines()]
    best = max(entry["token_accuracy"] for entry in entries)
    assert float(commands.results(run.output)["eval_accuracy"]) == pytest.approx(best, abs=1e-6)


def test_the_loss_is_the_mean_over_the_words_of_the_batch():
    """Whatever rows they are in; positions that are no word's first, and rows that only fill the batch, weigh 0."""
    generator = np.random.default_rng(5)
    logits = generator.normal(size=(3, 4, 5)).astype(np.float32)
    batch = {
        "label_ids": generator.integers(5, size=(3, 4)).astype(np.int32),
        "label_weights": np.array([[0, 1, 1, 0], [0, 1, 0, 0], [1, 1, 1, 1]], np.int32),
        "is_real_example": np.array([1, 1, 0], np.float32),
    }
    model = TokenClassifier(BertConfig.from_dict({**commands.TINY, "num_hidden_layers": 1}), classes=5)
    places = np.array([[0, 1], [0, 2], [1, 1]]).T
    losses = -numpy_bert.log_softmax(logits)[(*places, batch["label_ids"][tuple(places)])]
    term = model.loss_terms(batch, {"logits": logits})["cross_entropy"]
    assert float(term.value) == pytest.approx(losses.mean(), abs=1e-6)
    assert float(model.loss_weights(batch)["cross_entropy"]) == float(term.weight) == 3
    right = (logits.argmax(-1) == batch["label_ids"])[tuple(places)].mean()
    assert float(model.measures(batch, {"logits": logits})["token_accuracy"].value) == pytest.approx(right)


def test_flags_are_those_of_run_classifier(golden):
    """All but --task_name, with the same defaults."""
    from run_tagger import Settings

    fields = Settings.__dataclass_fields__
    for flag in json.loads((golden / "flags" / "run_classifier.json").read_text()):
        if flag["name"] != "task_name" and not flag["required"]:
            assert fields[flag["name"]].default == flag["default"], flag["name"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"do_train": False}, "nothing to do: give --do_train=true"),
        ({"max_seq_length": 2}, "--max_seq_length is 2, expected at least 3: [CLS], a word, [SEP]"),
        ({"max_seq_length": 600}, "--max_seq_length is 600, but the model of"),
        ({"tag_column": 0}, "--tag_column is 0, no tags, but --do_train and --do_eval need some"),
        ({"tag_column": 5}, "train.txt:1: 2 column(s), but --tag_column is 5"),
        ({"predict_batch_size": 0}, "--predict_batch_size is 0, expected at least 1"),
        ({"scheme": "bilou"}, "--scheme=bilou: value should be one of <auto|bio|bioes|plain>"),
        ({"scheme": "plain", "constrained_decoding": True}, "--constrained_decoding needs tags of BIO or BIOES"),
        ({"do_eval": True}, "--do_eval: "),
        ({"train_batch_size": 1000}, "training rows make no step with --train_batch_size=1000"),
        ({"num_train_epochs": 0}, "--num_train_epochs is 0.0, expected a number above 0"),
        ({"warmup_proportion": 1.5}, "--warmup_proportion is 1.5, expected 0 to 1"),
        ({"init_checkpoint": "nowhere"}, "--init_checkpoint: no checkpoint at nowhere"),
        ({"data_dir": "nowhere"}, "train.txt does not exist"),
    ],
)
def test_refuses(tmp_path, flags, message):
    """One line, and nothing written."""
    run = Run(tmp_path, {"train": sentences(20, 4, seed=1)}, do_train=True)
    assert message in run(**flags).error
    assert not run.output.exists()


def test_predicting_needs_a_trained_model(tmp_path):
    run = Run(tmp_path, {"test": "a\n"})
    assert "labels.json does not exist, and neither does" in run("--do_predict").error
    assert not run.output.exists()


def test_what_is_odd_in_the_training_file_is_told(tmp_path):
    run = Run(tmp_path, {"train": "a O\nb B-X\n\nc I-X\nd O\n\n" * 8})
    outcome = run("--do_train", train_batch_size=4, num_train_epochs=1)
    assert f"The tags of 8 of 16 sentences are not well-formed BIO; the first begins at {run.data}" in outcome.stderr
    assert "train.txt:4." in outcome.stderr
    (run.data / "train.txt").write_text("a O\nb B-X\nc M-X\n\n" * 8)
    outcome = run("--do_train", train_batch_size=4, num_train_epochs=1, output_dir=tmp_path / "other")
    assert "The tags are taken as plain, each for itself: M-X is none of BIO or BIOES." in outcome.stderr
