"""run_pretraining.py as a user runs it: train, evaluate, go on, start from a checkpoint."""

import json
import re

import numpy as np
import pytest

from tests import commands, numpy_bert

ROWS = "small_both"  # 109 records, S 32, P 5
SIZES = {"max_seq_length": 32, "max_predictions_per_seq": 5}
KEYS = ["global_step", "loss", "masked_lm_accuracy", "masked_lm_loss", "next_sentence_accuracy", "next_sentence_loss"]
PREFIX = "model.ckpt-"


class Run:
    """A folder with a tiny model's config and records, and an output folder that the commands fill."""

    def __init__(self, folder):
        self.folder, self.output = folder, folder / "output"
        self.rows = commands.golden_rows(ROWS)
        self.flags = {
            "bert_config_file": commands.write_config(folder),
            "input_file": commands.write_records(folder / "records", self.rows),
            "output_dir": self.output,
            "learning_rate": 0.01,
            "num_warmup_steps": 5,
            **SIZES,
        }

    def __call__(self, *arguments: str, **flags):
        return commands.run("run_pretraining", *arguments, **{**self.flags, **flags})

    @property
    def results(self) -> dict[str, str]:
        return commands.results(self.output)

    @property
    def steps(self) -> list[dict]:
        return [json.loads(line) for line in (self.output / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Twenty steps of training and an evaluation; tests that change the folder make their own."""
    run = Run(tmp_path_factory.mktemp("pretraining"))
    run.outcome = run("--do_train", "--do_eval", num_train_steps=20)
    return run


def numbers(results: dict[str, str]) -> dict[str, float]:
    return {name: float(results[name]) for name in KEYS[1:]}


def test_results_have_the_six_keys_and_the_format_of_the_original(trained):
    assert (trained.outcome.status, trained.outcome.stdout) == (0, "")
    assert list(trained.results) == KEYS
    assert trained.results["global_step"] == "20"
    text = (trained.output / "eval_results.txt").read_text()
    assert text == "".join(f"{name} = {trained.results[name]}\n" for name in KEYS)
    for name in KEYS[1:]:
        assert str(np.float32(trained.results[name])) == trained.results[name]


def test_the_loss_falls(trained):
    losses = [step["loss"] for step in trained.steps]
    assert [step["step"] for step in trained.steps] == list(range(1, 21))
    assert np.log(473) + np.log(2) == pytest.approx(losses[0], abs=0.5)  # guessing
    assert np.mean(losses[-3:]) < losses[0] - 1


def test_the_learning_rate_rises_and_falls_as_the_original_s(trained):
    expected = [0.01 * step / 5 if step < 5 else 0.01 * (1 - step / 20) for step in range(20)]
    assert [step["learning_rate"] for step in trained.steps] == pytest.approx(expected, rel=1e-5)


def test_the_log_tells_what_goes_on(trained):
    """Loss, both parts, both accuracies, learning rate; and the fixed lines of the original."""
    line = next(line for line in trained.outcome.stderr.splitlines() if line.startswith("Training "))
    for name in ("loss", "mlm", "nsp", "mlm_acc", "nsp_acc"):
        assert re.search(rf"\| {name} [0-9.e-]+ ", line), line
    assert re.search(r"\| lr [0-9.e-]+ ", line)
    for fixed in ("*** Input files ***", "***** Running training *****", "  Batch size = 32"):
        assert fixed in trained.outcome.stderr
    for fixed in ("***** Running evaluation *****", "  Batch size = 8", "***** Eval results *****"):
        assert fixed in trained.outcome.stderr
    assert f"  loss = {trained.results['loss']}" in trained.outcome.stderr


@pytest.mark.parametrize("batch_size", [8, 7])
def test_evaluation_is_that_of_plain_numpy(trained, batch_size):
    """109 records, in 14 or 16 batches: each counts once and nothing twice; `loss` is the mean of the batches."""
    outcome = trained("--do_eval", eval_batch_size=batch_size)
    assert outcome.status == 0
    assert "Num examples = 109\n" in outcome.stderr
    expected = numpy_bert.pretraining_evaluation(trained.output / f"{PREFIX}20", trained.rows, 2, batch_size)
    assert numbers(trained.results) == pytest.approx(expected, abs=1e-5)


def test_max_eval_steps_caps_the_evaluation(trained):
    outcome = trained("--do_eval", max_eval_steps=3, eval_batch_size=8)
    assert "Only 24 of 109 records are evaluated (--max_eval_steps)" in outcome.stderr
    assert "Num examples = 24\n" in outcome.stderr
    expected = numpy_bert.pretraining_evaluation(trained.output / f"{PREFIX}20", trained.rows[:24], 2, 8)
    assert numbers(trained.results) == pytest.approx(expected, abs=1e-5)


def test_held_out_records_are_evaluated_and_not_trained_on(run):
    """Beside the same training without them: the weights are the same bits, the numbers those of the other records."""
    held_out = commands.write_records(run.folder / "held_out", run.rows[60:])
    training = commands.write_records(run.folder / "training", run.rows[:60])
    flags = {"input_file": training, "num_train_steps": 2}
    outcome = run("--do_train", "--do_eval", eval_file=held_out, **flags)
    assert outcome.status == 0, outcome.stderr
    assert f"*** Evaluation files ***\n  {held_out}\n" in outcome.stderr
    expected = numpy_bert.pretraining_evaluation(run.output / f"{PREFIX}2", run.rows[60:], 2, 8)
    assert numbers(run.results) == pytest.approx(expected, abs=1e-5)
    run("--do_train", output_dir=run.folder / "alone", **flags)
    ours, alone = (numpy_bert.read_variables(folder / f"{PREFIX}2") for folder in (run.output, run.folder / "alone"))
    assert {name for name in ours if not np.array_equal(ours[name], alone[name])} == set()


def test_held_out_records_may_hide_another_share(run):
    rows = [
        {name: [*values, 0] if name.startswith("masked") else values for name, values in row.items()}
        for row in run.rows
    ]
    held_out = commands.write_records(run.folder / "held_out", rows)
    (run.folder / "held_out.json").write_text('{"max_predictions_per_seq": 6}')
    assert run("--do_train", "--do_eval", eval_file=held_out, num_train_steps=1).status == 0
    expected = numpy_bert.pretraining_evaluation(run.output / f"{PREFIX}1", run.rows, 2, 8)
    assert numbers(run.results) == pytest.approx(expected, abs=1e-5)


def test_the_masked_lm_learned_alone(run):
    """The numbers are those of the masked LM; the pooler and the next sentence's head stay as they start."""
    outcome = run("--do_train", "--do_eval", num_train_steps=20, next_sentence=False)
    assert outcome.status == 0, outcome.stderr
    assert list(run.results) == [name for name in KEYS if "next_sentence" not in name]
    expected = numpy_bert.pretraining_evaluation(run.output / f"{PREFIX}20", run.rows, 2, 8)
    assert float(run.results["masked_lm_loss"]) == pytest.approx(expected["masked_lm_loss"], abs=1e-5)
    assert [step["loss"] for step in run.steps] == [step["masked_lm_loss"] for step in run.steps]
    assert run.steps[-1]["masked_lm_loss"] < run.steps[0]["masked_lm_loss"] - 1
    names = numpy_bert.read_variables(run.output / f"{PREFIX}20")
    still = [name for name in names if name.endswith(("pooler/dense/bias", "seq_relationship/output_bias"))]
    assert len(still) == 2
    assert all(not names[name].any() for name in still)  # a bias starts at 0
    assert "its next_sentence is false, this run's is true" in run("--do_train", num_train_steps=21).error


def test_the_same_command_again_has_nothing_to_do_and_more_steps_go_on(run):
    assert run("--do_train", num_train_steps=4).status == 0
    before = commands.listing(run.output)
    again = run("--do_train", num_train_steps=4)
    assert again.status == 0
    assert "is at step 4 of 4: this run has finished, nothing to train" in again.stderr
    assert commands.listing(run.output) == before

    more = run("--do_train", num_train_steps=6, save_checkpoints_steps=5)
    assert more.status == 0
    assert f"Going on from {run.output / PREFIX}4 (step 4)" in more.stderr
    assert [step["step"] for step in run.steps] == [1, 2, 3, 4, 5, 6]
    saved = sorted(path.name for path in run.output.glob(f"{PREFIX}*.index"))
    assert saved == [f"{PREFIX}{step}.index" for step in (4, 5, 6)]


def test_an_interrupted_run_ends_where_an_undisturbed_one_does(run):
    """Stopped by a smaller number of steps, still warming up: dropout and order are functions of the step."""
    common = {"num_warmup_steps": 1000, "train_batch_size": 8}
    outcome = run("--do_train", num_train_steps=6, **common)
    assert "rises over 1000 steps, but training ends at step 6: it never reaches its peak" in outcome.stderr
    whole = numpy_bert.read_variables(run.output / f"{PREFIX}6")
    parts = run.folder / "parts"
    for steps in (3, 6):
        run("--do_train", num_train_steps=steps, output_dir=parts, **common)
    again = numpy_bert.read_variables(parts / f"{PREFIX}6")
    assert {name for name in whole if not np.array_equal(whole[name], again[name])} == set()


def test_several_files_globs_and_commas(run):
    """The order is the one given; the files of a glob are sorted; a side-car that a glob finds is no record file."""
    for part, rows in (("a-1", slice(0, 10)), ("a-0", slice(10, 30)), ("b", slice(30, 35))):
        commands.write_records(run.folder / part, run.rows[rows])
    commands.write_records(run.folder / "a-2", [])  # a shard that got nothing
    (run.folder / "a-0.json").write_text('{"vocab_size": 400, "vocab_sha256": "ab"}')
    outcome = run("--do_eval", "--do_train", input_file=f"{run.folder}/b, {run.folder}/a-*", num_train_steps=2)
    assert outcome.status == 0, outcome.stderr
    listed = outcome.stderr.split("*** Input files ***\n")[1].splitlines()[:4]
    assert listed == [f"  {run.folder / name}" for name in ("b", "a-0", "a-1", "a-2")]
    assert f"{run.folder / 'a-2'} holds no record." in outcome.stderr
    assert "The records' vocabulary has 400 entries, the model's 473." in outcome.stderr
    assert "  35 records\n" in outcome.stderr
    rows = run.rows[30:35] + run.rows[10:30] + run.rows[:10]
    expected = numpy_bert.pretraining_evaluation(run.output / f"{PREFIX}2", rows, 2, 8)
    assert numbers(run.results) == pytest.approx(expected, abs=1e-5)


def test_starting_from_a_checkpoint_of_the_original(run, golden):
    """Nothing of it is missing or unused, and a step at learning rate 0 leaves its values as they are."""
    micro = golden / "model" / "micro"
    rows = [{**row, "input_ids": [token % 100 for token in row["input_ids"]]} for row in run.rows[:20]]
    rows = [{**row, "masked_lm_ids": [token % 100 for token in row["masked_lm_ids"]]} for row in rows]
    flags = {
        "input_file": commands.write_records(run.folder / "micro", rows),
        "bert_config_file": micro / "bert_config.json",
        "init_checkpoint": micro / "model.ckpt",
    }
    outcome = run("--do_train", "--do_eval", num_train_steps=1, learning_rate=0, **flags)
    assert outcome.status == 0, outcome.stderr
    assert f"Loaded {micro / 'model.ckpt'}: 62 variables matched, 0 missing, 0 unused." in outcome.stderr
    assert run.results["global_step"] == "1"
    expected = numpy_bert.pretraining_evaluation(micro / "model.ckpt", rows, 4, 8)
    assert numbers(run.results) == pytest.approx(expected, abs=1e-5)
