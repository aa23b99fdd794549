"""run_squad.py as a user runs it: SQuAD 1.1 and 2.0, prediction later on, and what it refuses."""

import json

import numpy as np
import pytest
import tensorflow as tf

from bert.config import BertConfig
from bert.heads import SpanModel
from bert.options.questions import AnswerOptions
from bert.tasks.squad import examples, windows
from tests import commands, numpy_bert, squad_references
from tests.test_squad_records import golden_tokenizer

POSITIONS = 128


class Run:
    """A tiny model with the vocabulary of tests/golden/squad, and an output folder that the commands fill."""

    def __init__(self, folder, golden, **flags):
        self.folder, self.output = folder, folder / "output"
        self.tokenizer = golden_tokenizer(golden)
        tokens = self.tokenizer.vocabulary.tokens
        (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
        self.flags = {
            "vocab_file": folder / "vocab.txt",
            "bert_config_file": commands.write_config(
                folder, vocab_size=len(tokens), max_position_embeddings=POSITIONS
            ),
            "output_dir": self.output,
            **flags,
        }

    def __call__(self, *arguments: str, **flags):
        return commands.run("run_squad", *arguments, **{**self.flags, **flags})

    def read(self, name: str) -> dict:
        return json.loads((self.output / name).read_text())

    @property
    def results(self) -> dict[str, float]:
        return {name: float(value) for name, value in commands.results(self.output).items()}


@pytest.fixture(scope="module")
def second(tmp_path_factory, golden):
    """SQuAD 2.0: a tiny model learns ten questions by heart."""
    path = golden / "squad" / "v2.json"
    run = Run(tmp_path_factory.mktemp("v2"), golden, max_seq_length=96, predict_file=path)
    run.flags["version_2_with_negative"] = True
    run.outcome = run(
        "--do_train", "--do_predict", train_file=path, train_batch_size=4, learning_rate=1e-3, num_train_epochs=80
    )
    return run


@pytest.fixture(scope="module")
def first(tmp_path_factory, golden):
    """SQuAD 1.1: two steps, then a document of many windows."""
    run = Run(tmp_path_factory.mktemp("v1"), golden, max_seq_length=64, doc_stride=20, max_query_length=24)
    run.flags |= {"predict_file": golden / "squad" / "dev.json", "predict_batch_size": 32}
    train_file = golden / "squad" / "train.json"
    run.outcome = run("--do_train", "--do_predict", train_file=train_file, train_batch_size=8, num_train_epochs=0.4)
    return run


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, golden):
    """SQuAD 1.1, evaluated on the way: the best checkpoint by F1, and no patience."""
    path = golden / "squad" / "train.json"
    run = Run(tmp_path_factory.mktemp("dev"), golden, max_seq_length=96, train_file=path, dev_file=path)
    run.flags |= {"train_batch_size": 8, "num_train_epochs": 2, "learning_rate": 1e-3}
    run.flags |= {"eval_every_steps": 4, "best_metric": "f1", "early_stopping_patience": 2}
    run.outcome = run("--do_train", "--do_eval")
    return run


def test_an_evaluation_on_the_way_chooses_the_best_by_f1(evaluated):
    assert (evaluated.outcome.status, evaluated.outcome.stdout) == (0, ""), evaluated.outcome.stderr
    lines = (evaluated.output / "evaluations.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert {"step", "loss", "span_loss", "exact_spans", "exact_match", "f1"} <= set(entries[0])
    best = max(entries, key=lambda entry: entry["f1"])
    assert (evaluated.output / "best" / f"model.ckpt-{best['step']}.index").exists()
    assert evaluated.results["f1"] == pytest.approx(best["f1"])
    assert evaluated.results["global_step"] == best["step"]
    report = evaluated.read("eval_report.json")
    assert report["questions"] == 52
    assert report["measures"] == pytest.approx({name: evaluated.results[name] for name in ("exact_match", "f1")})


def test_what_is_evaluated_is_judged_as_what_is_predicted(evaluated, golden):
    """The same file through --do_eval and, answered in another order of rows, through --do_predict."""
    before = evaluated.results
    path = golden / "squad" / "train.json"
    outcome = evaluated("--do_predict", predict_file=path, eval_every_steps=0, early_stopping_patience=0)
    assert outcome.status == 0, outcome.stderr
    assert {name: evaluated.results[name] for name in ("exact_match", "f1")} == pytest.approx(
        {name: before[name] for name in ("exact_match", "f1")}
    )


def test_a_dev_file_without_answers_is_refused(evaluated, golden, tmp_path):
    content = json.loads((golden / "squad" / "train.json").read_text())
    for question in (q for entry in content["data"] for part in entry["paragraphs"] for q in part["qas"]):
        del question["answers"]
    (tmp_path / "dev.json").write_text(json.dumps(content))
    message = evaluated("--do_eval", dev_file=tmp_path / "dev.json").error
    assert message == f"--dev_file={tmp_path / 'dev.json'} has no answers: nothing to evaluate"


def test_training_learns_the_answers_and_that_there_is_none(second):
    assert (second.outcome.status, second.outcome.stdout) == (0, ""), second.outcome.stderr
    results = second.results
    assert results["exact"] >= 80
    assert results["best_exact"] >= results["exact"]
    assert (results["HasAns_total"], results["NoAns_total"], results["global_step"]) == (8, 2, 200)
    predictions, odds = second.read("predictions.json"), second.read("null_odds.json")
    assert [name for name, text in predictions.items() if not text] == [name for name in odds if odds[name] > 0]
    assert predictions["impq1_0"] == ""


def test_the_checkpoint_is_the_originals(second):
    """120 entries of a model with 2 layers: the pooler is there, without slots (docs/parity.md 9)."""
    shapes = dict(tf.train.list_variables(str(second.output / "model.ckpt-200")))
    assert len(shapes) == 120
    assert shapes["cls/squad/output_weights"] == shapes["cls/squad/output_weights/adam_v"] == [2, 32]
    assert [name for name in shapes if "pooler" in name] == ["bert/pooler/dense/bias", "bert/pooler/dense/kernel"]


def test_the_log_has_the_lines_of_the_original(first):
    log = first.outcome.stderr
    for fixed in (
        "*** Example ***\nunique_id: 1000000000\nexample_index: 0\ndoc_span_index: 0\ntokens: [CLS] ",
        "start_position: ",
        "  Num orig examples = 52\n  Num split examples = ",
        "***** Running training *****",
        "  Batch size = 8\n  Num steps = 2",
        "  Num orig examples = 44\n",
        "Predicting ",
        "predictions.json",
    ):
        assert fixed in log


def test_files_of_version_1(first):
    assert first.outcome.status == 0, first.outcome.stderr
    names = set(commands.listing(first.output))
    assert {"train.tf_record", "eval.tf_record", "predictions.json", "nbest_predictions.json"} <= names
    assert "null_odds.json" not in names
    assert set(first.results) == {"exact_match", "f1", "global_step"}
    ids = [example.id for example in examples.read_prediction(str(first.flags["predict_file"]))]
    assert list(first.read("predictions.json")) == list(first.read("nbest_predictions.json")) == ids


def test_answers_are_those_of_plain_numpy(first):
    """Every window through the numpy encoder at full length, every question through the slow model of the n best."""
    found = examples.read_prediction(str(first.flags["predict_file"]))[-6:]  # the first document has too many windows
    built = windows.build(found, first.tokenizer, 64, 20, 24)
    batch = built.features(0, len(built))
    bert = numpy_bert.Bert(numpy_bert.read_variables(first.output / "model.ckpt-2"), heads=2)
    logits = bert.encode(batch)[0] @ bert.v["cls/squad/output_weights"].T + bert.v["cls/squad/output_bias"]  # [W, S, 2]
    rows = [row[:length].T.tolist() for row, length in zip(logits, built.lengths, strict=True)]
    n_best, options = first.read("nbest_predictions.json"), AnswerOptions()
    for index, example in enumerate(found):
        own = built.of_example[index]
        places = list(zip(built.first[own].tolist(), built.size[own].tolist(), strict=True))
        expected = squad_references.n_best(
            example.document.text,
            first.tokenizer.vocabulary.ids,
            places,
            int(built.offset[own[0]]),
            [rows[window] for window in own],
            options,
        )
        entries = n_best[example.id]
        assert entries[0]["text"] == expected[0][0] == first.read("predictions.json")[example.id]
        scores = [[entry["start_logit"], entry["end_logit"]] for entry in entries]
        assert np.sum(scores, axis=1) == pytest.approx([start + end for _, start, end in expected], abs=1e-5)


def test_predicting_later_with_other_batches_gives_the_same(first, golden, tmp_path):
    """Windows of like length travel together; each comes back to its question whatever its neighbours were."""
    before = first.read("nbest_predictions.json")
    outcome = first("--do_predict", predict_batch_size=7)
    assert outcome.status == 0, outcome.stderr
    assert "Going on from" in outcome.stderr
    after = first.read("nbest_predictions.json")
    assert list(after) == list(before)
    for name in before:
        for key in ("probability", "start_logit", "end_logit"):
            assert [entry[key] for entry in after[name]] == pytest.approx([e[key] for e in before[name]], abs=1e-5)


def test_a_file_without_answers_is_predicted_only(first, tmp_path):
    content = json.loads(first.flags["predict_file"].read_text())
    questions = [q for entry in content["data"] for part in entry["paragraphs"] for q in part["qas"]]
    for question in questions:
        del question["answers"]
    (tmp_path / "test.json").write_text(json.dumps(content))
    output = first.output
    (output / "eval_results.txt").unlink()
    outcome = first("--do_predict", predict_file=tmp_path / "test.json")
    assert outcome.status == 0, outcome.stderr
    assert "test.json has no answers: nothing to evaluate." in outcome.stderr
    assert not (output / "eval_results.txt").exists()
    assert len(first.read("predictions.json")) == len(questions)


def test_the_loss_is_the_mean_of_start_and_end(golden):
    """Over all positions, padding among them, as in the original (docs/parity.md 9)."""
    generator = np.random.default_rng(5)
    start, end = generator.normal(size=(2, 3, 7)).astype(np.float32)
    batch = {
        "start_positions": np.array([[0], [3], [2]], np.int32),
        "end_positions": np.array([[0], [4], [2]], np.int32),
        "is_real_example": np.array([1, 1, 0], np.float32),  # the last row only fills the batch
    }
    model = SpanModel(BertConfig.from_dict({**commands.TINY, "num_hidden_layers": 1}))
    terms = model.loss_terms(batch, {"start_logits": start, "end_logits": end})
    losses = -numpy_bert.log_softmax(start)[[0, 1], [0, 3]] - numpy_bert.log_softmax(end)[[0, 1], [0, 4]]
    assert float(sum(term.value for term in terms.values())) == pytest.approx((losses / 2).mean(), abs=1e-6)
    # An evaluation has that of the words, whatever rows share the batch.
    batch["input_mask"] = np.array([[1] * 5 + [0] * 2] * 3, np.int32)
    outputs = {"start_logits": start, "end_logits": end}
    words = {name: value[:, :5] for name, value in outputs.items()}
    expected = model.loss_terms(batch, words)["span_loss"].value
    assert float(model.evaluation_terms(batch, outputs)["span_loss"].value) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"do_train": False}, "nothing to do: give --do_train=true, --do_eval=true or --do_predict=true, or several"),
        ({"train_file": ""}, "--do_train needs --train_file"),
        ({"do_predict": True}, "--do_predict needs --predict_file"),
        ({"do_eval": True}, "--do_eval needs --dev_file"),
        ({"eval_every_steps": 2}, "--eval_every_steps=2 needs --do_eval=true"),
        ({"max_seq_length": 67}, "--max_seq_length is 67, expected more than 67"),
        ({"max_seq_length": 600}, "--max_seq_length is 600, but the model of"),
        ({"doc_stride": 0}, "--doc_stride is 0, expected at least 1"),
        ({"n_best_size": 0}, "--n_best_size is 0, expected at least 1"),
        ({"warmup_proportion": 1.5}, "--warmup_proportion is 1.5, expected 0 to 1"),
        ({"num_train_epochs": 0}, "--num_train_epochs is 0.0, expected a number above 0"),
        ({"metric": "bleu"}, "--metric=bleu: value should be one of <auto|squad|cmrc>"),
        ({"train_file": "nowhere.json"}, "nowhere.json does not exist"),
        ({"train_batch_size": 1000}, "52 training questions make no step with --train_batch_size=1000"),
        ({"version_2_with_negative": True}, "has no 'is_impossible'"),
        ({"do_lower_case": False, "init_checkpoint": "uncased_L-12_H-768_A-12/bert_model.ckpt"}, "--do_lower_case is"),
        ({"init_checkpoint": "nowhere"}, "--init_checkpoint: no checkpoint at nowhere"),
    ],
)
def test_refuses(golden, tmp_path, flags, message):
    """One line, and nothing written."""
    run = Run(tmp_path, golden, max_seq_length=96, do_train=True, train_file=golden / "squad" / "train.json")
    assert message in run(**flags).error
    assert not run.output.exists()


def test_predicting_needs_a_trained_model(golden, tmp_path):
    run = Run(tmp_path, golden, max_seq_length=96, do_predict=True, predict_file=golden / "squad" / "dev.json")
    assert "nothing to evaluate: no checkpoint in --output_dir" in run().error
    assert not run.output.exists()


def test_one_segment_is_too_few(golden, tmp_path):
    run = Run(tmp_path, golden, max_seq_length=96, train_file=golden / "squad" / "train.json")
    commands.write_config(tmp_path, vocab_size=200, type_vocab_size=1)
    assert "type_vocab_size is 1, expected at least 2" in run("--do_train").error
