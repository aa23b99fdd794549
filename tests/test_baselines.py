"""The baselines on the commands of BERT: training, resuming, prediction, export, tagging, ensembles, and what is
refused."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import bert
from bert.config import BASELINES
from tests import commands, numpy_bert, trained
from tests.test_distribution import TWO_CPUS

SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "embedding_size": 6, "intermediate_size": 12, "hash_buckets": 300}


def flags_of(folder, data, encoder: str, **flags) -> dict[str, object]:
    folder.mkdir(parents=True, exist_ok=True)
    config = commands.write_config(
        folder, encoder=encoder, num_attention_heads=None, **{**SIZES, "initializer_range": 0.3}
    )
    return {
        "task_name": "table",
        "data_dir": data,
        "vocab_file": commands.VOCABULARY,
        "bert_config_file": config,
        "output_dir": folder / "output",
        "max_seq_length": 24,
        "train_batch_size": 8,
        "learning_rate": 0.01,
        "num_train_epochs": 2,
        **flags,
    }


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Pairs that are alike where both are of the same words."""
    folder = tmp_path_factory.mktemp("pairs")
    halves = trained.WORDS[:7], trained.WORDS[7:]
    generator = np.random.default_rng(1)
    for split, count in (("train", 40), ("dev", 16), ("test", 12)):
        lines = ["text\ttext_b\tlabel"]
        for number in range(count):
            label = number % 2
            texts = [" ".join(generator.choice(halves[half], 4)) for half in (0, 1 - label)]
            lines.append("\t".join([*texts, ("other", "same")[label]]))
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory, pairs):
    """Encoder -> what its command was given; trained, evaluated on the way and at the end, and predicted."""
    folder, found = tmp_path_factory.mktemp("runs"), {}
    for encoder in BASELINES:
        flags = flags_of(folder / encoder, pairs, encoder, save_checkpoints_steps=5)
        given = {"do_train": True, "do_eval": True, "do_predict": True, "eval_every_steps": 5}
        outcome = commands.run("run_classifier", **flags, **given)
        assert outcome.status == 0, outcome.stderr
        found[encoder] = flags
    return found


def probabilities(folder) -> np.ndarray:
    return np.loadtxt(folder / "test_results.tsv", ndmin=2)


def rows_of(data) -> list[tuple[str, str]]:
    lines = (data / "test.tsv").read_text().splitlines()[1:]
    return [tuple(line.split("\t")[:2]) for line in lines]


@pytest.mark.parametrize("encoder", BASELINES)
def test_what_was_trained_answers_the_same_when_it_is_loaded(runs, pairs, encoder):
    output = runs[encoder]["output_dir"]
    evaluations = [json.loads(line) for line in (output / "evaluations.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in evaluations] == [5, 10]
    model = bert.load(str(output))
    answers = [list(answer.probabilities.values()) for answer in model.predict(rows_of(pairs))]
    assert np.array(answers) == pytest.approx(probabilities(output), abs=1e-6)
    assert np.ptp(probabilities(output)[:, 0]) > 1e-4
    names = {name.split("/")[0] for name in numpy_bert.read_variables(output / "model.ckpt-10") if "/" in name}
    assert encoder in names
    assert "bert" not in names
    assert bert.load(str(output), vectors=True).encode(["the company said"]).shape == (1, SIZES["hidden_size"])


@pytest.mark.parametrize("encoder", ["dssm", "lstm"])
def test_a_resumed_run_ends_with_the_same_bits(runs, tmp_path, encoder):
    output = runs[encoder]["output_dir"]
    again = tmp_path / "output"
    again.mkdir()
    for path in output.glob("model.ckpt-5.*"):
        shutil.copy(path, again)
    for name in ("run.json", "labels.json"):
        shutil.copy(output / name, again)
    outcome = commands.run("run_classifier", "--do_train", **{**runs[encoder], "output_dir": again})
    assert "Going on from" in outcome.stderr
    whole, parts = (numpy_bert.read_variables(folder / "model.ckpt-10") for folder in (output, again))
    assert all(np.array_equal(whole[name], parts[name]) for name in parts)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["lstm", "dssm"])
def test_two_devices_give_the_losses_of_one(pairs, tmp_path, encoder):
    """With batches of several lengths, and so sparse gradients of several sizes."""
    flags = flags_of(tmp_path / encoder, pairs, encoder, do_train=True, num_train_epochs=1, learning_rate=1e-3)
    two = {**flags, "output_dir": tmp_path / "two", "distribution": "mirrored"}
    program = (
        f"{TWO_CPUS}\nimport sys, run_classifier\nfrom bert import cli\n"
        "cli.run(run_classifier.Settings, run_classifier.main, ['run_classifier.py', *sys.argv[1:]])"
    )
    arguments = [f"--{name}={value}" for name, value in two.items()]
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=commands.TESTS.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "2 replica(s) on CPU" in done.stderr
    assert commands.run("run_classifier", **flags).status == 0
    lines = [(folder / "metrics.jsonl").read_text().splitlines() for folder in (tmp_path / "two", flags["output_dir"])]
    found, expected = ([json.loads(line)["loss"] for line in own] for own in lines)
    assert found == pytest.approx(expected, rel=0.1)  # replicas draw dropout of their own
    assert len(found) == 5


@pytest.mark.parametrize("encoder", ["dssm", "gru"])
def test_an_exported_baseline_gives_the_same(runs, pairs, tmp_path, encoder):
    output = runs[encoder]["output_dir"]
    exported = commands.run("bert.commands.export_model", model_dir=output, export_dir=tmp_path / "exported")
    assert exported.status == 0, exported.stderr
    answer = tf.saved_model.load(str(tmp_path / "exported")).signatures["serving_default"]
    texts, others = (tf.constant(column) for column in zip(*rows_of(pairs), strict=True))
    assert answer(text=texts, text_b=others)["probabilities"].numpy() == pytest.approx(probabilities(output), abs=1e-6)


def test_tags_by_an_lstm(tmp_path):
    sentences = [text.split() for text in trained.texts(16, seed=1)]
    lines = ["".join(f"{word} {'B-ORG' if word == 'her' else 'O'}\n" for word in words) for words in sentences]
    for split in ("train", "test"):
        (tmp_path / f"{split}.txt").write_text("\n".join(lines))
    flags = flags_of(tmp_path / "lstm", tmp_path, "lstm", num_train_epochs=10, learning_rate=0.03)
    del flags["task_name"]
    outcome = commands.run("run_tagger", "--do_train", "--do_predict", **flags)
    assert outcome.status == 0, outcome.stderr
    found = bert.load(str(flags["output_dir"])).predict("the her old")
    assert list(found.tags) == ["O", "B-ORG", "O"]


def test_a_model_that_has_no_vector_for_a_word_tags_none(tmp_path):
    (tmp_path / "train.txt").write_text("her B-ORG\nold O\n")
    flags = flags_of(tmp_path / "dssm", tmp_path, "dssm", train_batch_size=1)
    del flags["task_name"]
    error = commands.run("run_tagger", "--do_train", **flags).error
    assert error == (
        "--bert_config_file: the encoder is 'dssm', but TokenClassifier needs one of bert, lstm, gru, average"
    )
    assert not flags["output_dir"].exists()


def test_what_is_for_a_bert_only(runs, tmp_path):
    flags = runs["lstm"]
    output = flags["output_dir"]
    (tmp_path / "texts.txt").write_text("zebra\n")
    for command, more in (
        ("bert.commands.convert", {"model_dir": output, "output_dir": tmp_path / "new"}),
        (
            "bert.commands.add_words",
            {"model_dir": output, "output_dir": tmp_path / "new", "words_file": tmp_path / "texts.txt"},
        ),
    ):
        expected = f"{output}: the encoder is 'lstm', expected a BERT: this is done with no other"
        assert commands.run(command, **more).error == expected
        assert not (tmp_path / "new").exists()
    config = flags["bert_config_file"]
    features = {"input_file": tmp_path / "texts.txt", "output_file": tmp_path / "out.jsonl", "init_checkpoint": output}
    features |= {"vocab_file": commands.VOCABULARY, "bert_config_file": config, "max_seq_length": 8}
    assert "the encoder is 'lstm', expected a BERT" in commands.run("extract_features", **features).error
    records = commands.write_records(tmp_path / "records", commands.golden_rows("small_both")[:8])
    pretraining = {"input_file": records, "bert_config_file": config, "output_dir": tmp_path / "pretrained"}
    pretraining |= {"num_train_steps": 1, "max_predictions_per_seq": 5, "max_seq_length": 32}
    error = commands.run("run_pretraining", "--do_train", **pretraining).error
    assert error == "--bert_config_file: the encoder is 'lstm', but PretrainingModel needs one of bert"
    recomputed = commands.run(
        "run_classifier", "--do_train", "--recompute", **{**flags, "output_dir": tmp_path / "new"}
    )
    assert "--recompute is for the encoder bert" in recomputed.error


def test_one_encoder_does_not_start_from_another(runs, tmp_path):
    checkpoint = runs["gru"]["output_dir"]
    flags = {**runs["lstm"], "output_dir": tmp_path / "new", "init_checkpoint": checkpoint}
    error = commands.run("run_classifier", "--do_train", **flags).error
    assert "holds the encoder 'gru', but that of --bert_config_file=" in error
    assert error.endswith(" is 'lstm': one cannot start from the other")
    other = {**runs["lstm"], "output_dir": runs["gru"]["output_dir"]}
    assert 'holds another run: its encoder is "gru", this run\'s is "lstm"' in (
        commands.run("run_classifier", "--do_train", **other).error
    )


class TestEnsemble:
    def test_probabilities_are_the_mean_of_its_models(self, runs, pairs, tmp_path):
        folders = [runs[name]["output_dir"] for name in ("average", "lstm", "dssm")]
        flags = {**runs["lstm"], "output_dir": tmp_path / "all", "ensemble": ",".join(map(str, folders))}
        flags = {name: value for name, value in flags.items() if name not in ("vocab_file", "bert_config_file")}
        outcome = commands.run("run_classifier", "--do_eval", "--do_predict", **flags)
        assert outcome.status == 0, outcome.stderr
        found = probabilities(tmp_path / "all")
        expected = np.mean([probabilities(folder) for folder in folders], axis=0)
        assert found == pytest.approx(expected, abs=1e-6)
        answers = [line.split("\t")[3] for line in (tmp_path / "all" / "predictions.tsv").read_text().splitlines()[1:]]
        assert answers == [("other", "same")[row.argmax()] for row in found]
        # What is right of the dev set, by each model's own predictor.
        lines = [line.split("\t") for line in (pairs / "dev.tsv").read_text().splitlines()[1:]]
        models = [bert.load(str(folder)) for folder in folders]
        told = [[one.probabilities for one in model.predict([tuple(line[:2]) for line in lines])] for model in models]
        right = np.mean([[row[line[2]] for row, line in zip(own, lines, strict=True)] for own in told], axis=0)
        results = commands.results(tmp_path / "all")
        assert float(results["loss"]) == pytest.approx(-np.log(right).mean(), rel=1e-5)
        assert float(results["eval_accuracy"]) == pytest.approx((right > 0.5).mean())
        report = json.loads((tmp_path / "all" / "eval_report.json").read_text())
        assert report["ensemble"] == list(map(str, folders))

    def test_models_of_other_labels_are_refused(self, runs, pairs, tmp_path):
        (tmp_path / "train.tsv").write_text("text\ttext_b\tlabel\n" + "in\tand\tgood\nthe\tof\tbad\n" * 8)
        flags = flags_of(tmp_path / "other", tmp_path, "average")
        assert commands.run("run_classifier", "--do_train", **flags).status == 0
        ensemble = f"{runs['average']['output_dir']},{flags['output_dir']}"
        asked = {**runs["average"], "output_dir": tmp_path / "all", "ensemble": ensemble}
        assert commands.run("run_classifier", "--do_predict", **asked).error == (
            f"--ensemble: {flags['output_dir']} has labels bad, good, {runs['average']['output_dir']} has labels "
            "other, same; expected the same in the same order"
        )
        assert not (tmp_path / "all").exists()

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"ensemble": "one"}, "--ensemble is 'one', expected at least two folders with a comma between them"),
            ({"do_train": True}, "--ensemble and --do_train=True: its models are trained already"),
            ({"output_dir": "a member"}, "holds a run, expected a folder for the ensemble alone"),
            ({"ensemble": "one,other"}, "--ensemble: one is no folder"),
        ],
    )
    def test_what_makes_no_ensemble(self, runs, tmp_path, changes, said):
        folders = [str(runs[name]["output_dir"]) for name in ("average", "lstm")]
        if changes.get("output_dir"):
            changes = {"output_dir": folders[0]}
        flags = {**runs["lstm"], "output_dir": tmp_path / "all", "ensemble": ",".join(folders), **changes}
        assert said in commands.run("run_classifier", "--do_predict", **flags).error
        assert not (tmp_path / "all").exists()


class TestWordVectors:
    def flags(self, tmp_path, pairs, text: str, encoder: str = "average") -> dict[str, object]:
        (tmp_path / "vectors.txt").write_text(text)
        flags = flags_of(tmp_path / encoder, pairs, encoder, num_train_epochs=1, learning_rate=0.0)
        return {**flags, "word_vectors": tmp_path / "vectors.txt"}

    @pytest.mark.parametrize("header", ["", "3 8\n"])
    def test_they_are_where_the_pieces_of_their_names_are(self, tmp_path, pairs, header):
        rows = {word: np.arange(8) / 8 + index for index, word in enumerate(("after", "the", "zzz"))}
        lines = "".join(f"{word} {' '.join(map(str, row))} \n" for word, row in rows.items())
        flags = self.flags(tmp_path, pairs, header + lines + "the 9 9 9 9 9 9 9 9\n")
        outcome = commands.run("run_classifier", "--do_train", **flags)
        assert f"2 of 473 pieces (0.4%) start from a vector of {flags['word_vectors']}." in outcome.stderr
        values = numpy_bert.read_variables(flags["output_dir"] / "model.ckpt-5")["average/embeddings/word_embeddings"]
        tokens = commands.VOCABULARY.read_text().splitlines()
        assert np.array_equal(values[tokens.index("after")], np.float32(rows["after"]))
        assert np.array_equal(values[tokens.index("the")], np.float32(rows["the"]))  # the first of its name
        assert abs(values[tokens.index("old")]).max() < 1

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("the 1 2 3\n", ":1: a vector of 3 numbers, expected 8, as in --bert_config_file"),
            ("2 8\nthe 1 2 3 4 5 6 7 8\nof 1 2\n", ":3: a vector of 2 numbers, expected 8"),
            ("the 1 2 3 4 5 6 7 x\n", ":1: expected a word and 8 numbers, found '1 2 3 4 5 6 7 x' after it"),
            ("the 1 2 3 4 5 6 7 nan\n", ":1: a vector with a number that is not finite"),
            ("zzz 1 2 3 4 5 6 7 8\n", " has none of the 473 pieces of "),
            ("", " has none of the 473 pieces of "),
        ],
    )
    def test_a_file_that_does_not_fit(self, tmp_path, pairs, text, said):
        flags = self.flags(tmp_path, pairs, text)
        assert said in commands.run("run_classifier", "--do_train", **flags).error
        assert not flags["output_dir"].exists()

    def test_an_encoder_without_a_table_of_words(self, tmp_path, pairs):
        flags = self.flags(tmp_path, pairs, "the 1 2\n", "dssm")
        error = commands.run("run_classifier", "--do_train", **flags).error
        assert error == f"--word_vectors={flags['word_vectors']}: the encoder dssm has no table of word vectors to fill"


def test_bands_of_frequent_and_rare_classes(tmp_path):
    """The same whether the run has trained or only evaluates: the folder knows how many rows each class had."""
    counts = {"one": 12, "two": 8, "three": 4}
    words = dict(zip(counts, ("the", "old", "her"), strict=True))
    for split, copies in (("train", 1), ("dev", 0)):
        lines = [
            f"{words[name]} {words[name]}\t{name}" for name, count in counts.items() for _ in range(count * copies or 2)
        ]
        (tmp_path / f"{split}.tsv").write_text("text\tlabel\n" + "\n".join(lines) + "\n")
    flags = flags_of(tmp_path / "run", tmp_path, "average", num_train_epochs=1)
    reports = []
    for given in ({"do_train": True, "do_eval": True}, {"do_eval": True}):
        outcome = commands.run("run_classifier", **flags, **given)
        assert outcome.status == 0, outcome.stderr
        reports.append(json.loads((flags["output_dir"] / "eval_report.json").read_text()))
    assert reports[0] == reports[1]
    rows = {name: band["most_training_rows"] for name, band in reports[0]["bands"].items()}
    assert rows == {"head": 12, "middle": 8, "tail": 4}
    assert "tail: macro F1 " in outcome.stderr
