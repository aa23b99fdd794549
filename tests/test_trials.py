"""`num_trials`: each trial is the run with its seed, what is told of them, going on, and what is refused."""

import dataclasses
import gc
import importlib
import json
import pathlib
import shutil
import signal
import statistics

import numpy as np
import pytest

import bert
from bert import checkpoint
from bert.errors import InputError
from bert.finetuning.trials import check_folder
from bert.options import BEST, NOTHING, WEIGHTS
from bert.training.loop import Trainer
from tests import commands, trained

STEPS = 6


class Trials:
    """A table to learn from, a tiny model's config, and a folder that the commands fill."""

    def __init__(self, folder: pathlib.Path):
        self.folder, self.output = folder, folder / "output"
        for name, seed in (("train", 1), ("dev", 2), ("test", 3)):
            texts = trained.texts(24, seed)
            rows = [f"{text}\t{'new' if 'new' in text else 'old'}\n" for text in texts]
            (folder / f"{name}.tsv").write_text("text\tlabel\n" + "".join(rows))
        self.flags = {
            "task_name": "table",
            "data_dir": folder,
            "vocab_file": commands.VOCABULARY,
            "bert_config_file": commands.write_config(folder, initializer_range=0.1),
            "output_dir": self.output,
            "max_seq_length": trained.LENGTH,
            "train_batch_size": 8,
            "learning_rate": 1e-3,
            "num_train_epochs": STEPS * 8 / 24,
        }

    def __call__(self, *arguments: str, **flags):
        return commands.run("run_classifier", *arguments, **{**self.flags, **flags})

    def done(self, *arguments: str, **flags):
        outcome = self("--do_train", "--do_eval", *arguments, **flags)
        assert outcome.status == 0, outcome.stderr
        return outcome

    @property
    def summary(self) -> dict:
        return json.loads((self.output / "trials.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Trials:
    """Three trials with predictions; what other tests change they change in copies."""
    trials = Trials(tmp_path_factory.mktemp("trials"))
    trials.outcome = trials.done("--do_predict", num_trials=3)
    return trials


@pytest.fixture
def copy(whole, tmp_path) -> Trials:
    """The same data and trials, to be changed."""
    trials = Trials(tmp_path)
    trials.flags |= {name: whole.flags[name] for name in ("data_dir", "bert_config_file")}
    shutil.copytree(whole.output, trials.output)
    return trials


def contents(folder: pathlib.Path) -> dict[str, object]:
    """Every file but TensorBoard's, whose name tells the time; of run.json all but the folder."""
    found = {name: value for name, value in commands.listing(folder).items() if "tfevents" not in name}
    run = json.loads(found.pop("run.json"))
    del run["settings"]["output_dir"], run["trained_with"]["output_dir"]
    return {**found, "run.json": run}


def test_a_trial_is_the_run_with_its_seed(whole, tmp_path):
    assert sorted(path.name for path in whole.output.iterdir()) == [
        *("trial-1", "trial-2", "trial-3"),
        *("trials.json", "trials.txt"),
    ]
    whole.done("--do_predict", seed=2, output_dir=tmp_path / "single")
    assert contents(whole.output / "trial-2") == contents(tmp_path / "single")
    weights = [commands.listing(whole.output / f"trial-{seed}") for seed in (1, 2)]
    name = f"model.ckpt-{STEPS}.data-00000-of-00001"
    assert weights[0][name] != weights[1][name]


def test_the_summary_is_that_of_the_reports(whole):
    reports = [json.loads((whole.output / f"trial-{seed}" / "eval_report.json").read_text()) for seed in (1, 2, 3)]
    values = {name: [report["measures"][name] for report in reports] for name in reports[0]["measures"]}
    values["loss"] = [report["loss"] for report in reports]
    summary = whole.summary
    for name, own in values.items():
        found = summary["measures"][name]
        deviation = (sum((value - sum(own) / 3) ** 2 for value in own) / 2) ** 0.5
        assert found["mean"] == pytest.approx(np.mean(own), abs=1e-12)
        assert found["standard_deviation"] == pytest.approx(deviation, abs=1e-12)
        assert (found["min"], found["max"]) == (min(own), max(own))
        assert [trial["measures"][name] for trial in summary["trials"]] == own
    assert statistics.stdev(values["loss"]) > 1e-4  # or nothing above could tell
    best = 1 + int(np.argmin(values["loss"]))
    assert (summary["best_metric"], summary["best_trial"], summary["num_trials"]) == ("loss", best, 3)
    assert summary["measures"]["accuracy"]["best_trial"] == 1 + int(np.argmax(values["accuracy"]))


def test_the_log_tells_table_best_and_what_to_do_with_it(whole):
    log, table = whole.outcome.stderr, (whole.output / "trials.txt").read_text()
    assert all(f"  {line}\n" in log for line in table.splitlines())
    row = next(line for line in table.splitlines() if line.startswith("loss "))
    loss = whole.summary["measures"]["loss"]
    assert row.split()[1:3] == [f"{loss['mean']:.4f}", f"{loss['standard_deviation']:.4f}"]
    best = whole.output / f"trial-{whole.summary['best_trial']}"
    assert f"***** Trial 2 of 3: {whole.output / 'trial-2'} *****" in log
    assert log.endswith(f"It answers with: bert predict --model_dir={best}\n")
    assert bert.load(str(best)).predict("the new company").label in ("new", "old")


def test_a_trial_that_was_stopped_goes_on_and_the_others_are_not_trained_again(copy, monkeypatch):
    """Ctrl-C in the second trial ends the command; started again it ends with the bits of the undisturbed."""
    expected = [contents(copy.output / f"trial-{seed}") for seed in (1, 2)]
    shutil.rmtree(copy.output / "trial-2")
    (copy.output / "trials.json").unlink()
    save = Trainer.save

    def interrupted(trainer, selection=None):
        save(trainer, selection)
        if trainer.step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "save", interrupted)
    outcome = copy("--do_train", "--do_eval", "--do_predict", num_trials=2, save_checkpoints_steps=2)
    assert (outcome.status, outcome.stderr.splitlines()[-1]) == (130, "interrupted")
    assert not (copy.output / "trials.json").exists()
    monkeypatch.undo()
    log = copy.done("--do_predict", num_trials=2).stderr
    assert f"Going on from {copy.output / 'trial-2' / 'model.ckpt-2'} (step 2)." in log
    assert log.count("this run has finished, nothing to train") == 1
    for before, seed in zip(expected, (1, 2), strict=True):
        now = contents(copy.output / f"trial-{seed}")
        assert before.keys() <= now.keys()
        for name in before.keys() - {"checkpoint"}:  # which tells of more checkpoints
            assert now[name] == before[name], (seed, name)


def test_a_request_to_stop_names_the_folder_of_the_trial(copy, monkeypatch):
    shutil.rmtree(copy.output / "trial-2")
    train = Trainer.train

    def asked(trainer, *arguments, **options):
        run = trainer.steps.train

        def stepping(iterator, count):
            signal.raise_signal(signal.SIGTERM)
            return run(iterator, count)

        monkeypatch.setattr(trainer.steps, "train", stepping)
        return train(trainer, *arguments, **options)

    monkeypatch.setattr(Trainer, "train", asked)
    outcome = copy("--do_train", "--do_eval", num_trials=2)
    assert outcome.status == 128 + signal.SIGTERM
    saved = f"saved step 1 of {STEPS} as {copy.output / 'trial-2' / 'model.ckpt-1'}"
    assert outcome.stderr.splitlines()[-1] == f"stopped: {saved}; the same command goes on from there"


def handles() -> int:
    """The variables of TensorFlow's that something holds."""
    gc.collect()
    return sum(type(value).__name__ == "EagerTensor" for value in gc.get_objects())


def test_more_trials_train_only_the_missing_ones_and_none_stays_in_memory(copy):
    """TensorFlow kept every graph with a gradient of our own, and with it weights and slots of each trial."""
    before, held = copy.summary, handles()
    log = copy.done(num_trials=4, best_metric="accuracy").stderr
    assert log.count("this run has finished, nothing to train") == 3
    assert log.count("***** Running training *****") == 1
    after = copy.summary
    assert after["trials"][:3] == before["trials"]
    assert (after["num_trials"], after["best_metric"]) == (4, "accuracy")
    assert after["trials"][3]["folder"] == "trial-4"
    assert handles() - held < len(checkpoint.read_shapes(str(copy.output / "trial-4" / f"model.ckpt-{STEPS}")))


@pytest.mark.slow
def test_questions_tags_and_answers_have_trials_too(tmp_path, golden):
    """run_squad, run_tagger and run_retrieval: two trials each, compared by what their evaluation gives."""
    common = {"vocab_file": commands.VOCABULARY, "train_batch_size": 8, "num_train_epochs": 1, "num_trials": 2}
    common["bert_config_file"] = commands.write_config(tmp_path, hidden_act="relu", num_hidden_layers=1)
    data = golden / "squad" / "train.json"
    lines = [f"{text}\t{row // 2}\n" for row, text in enumerate(trained.texts(20))]
    (tmp_path / "faq.tsv").write_text("question\tanswer_id\n" + "".join(lines))
    for name in ("train", "dev"):
        (tmp_path / f"{name}.txt").write_text("the O\nold B-LOC\n\nnew B-LOC\nbell O\n\n" * 8)
    faq = {"knowledge_file": tmp_path / "faq.tsv", "dev_fraction": 0.2, "do_index": True, "max_seq_length": 16}
    own = {
        "run_squad": ({"train_file": data, "dev_file": data, "max_seq_length": 96}, "f1"),
        "run_tagger": ({"data_dir": tmp_path, "max_seq_length": 16}, "loss"),
        "bert.commands.run_retrieval": (faq, "mrr_at_10"),
    }
    for command, (flags, metric) in own.items():
        output = tmp_path / command
        flags |= {"best_metric": metric, "output_dir": output}
        outcome = commands.run(command, "--do_train", "--do_eval", **common, **flags)
        assert outcome.status == 0, outcome.stderr
        summary = json.loads((output / "trials.json").read_text())
        assert summary["best_metric"] == metric
        for trial in summary["trials"]:
            report = json.loads((output / trial["folder"] / "eval_report.json").read_text())
            told = {**report, **report.get("measures", {})}
            assert trial["measures"][metric] == pytest.approx(told[metric], abs=1e-6), command


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"num_trials": 0}, "--num_trials is 0, expected 1 to 1000"),
        ({"num_trials": 2**31}, "--num_trials is 2147483648, expected 1 to 1000"),
        ({"do_train": False}, "--num_trials=3 needs --do_train=true: a trial is a training"),
        ({"do_eval": False}, "--num_trials=3 needs --do_eval=true: trials are compared by the dev set"),
        ({"seed": 7}, "--num_trials=3 and --seed=7: expected only one, trials have the seeds 1 to 3"),
        ({"best_metric": "luck"}, "--best_metric is 'luck', expected one of accuracy, cross_entropy, "),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, flags, message):
    trials = Trials(tmp_path)
    outcome = trials(**{"do_train": True, "do_eval": True, "num_trials": 3, **flags})
    assert outcome.error.startswith(message)
    assert not list(trials.output.rglob("model.ckpt*"))


def test_a_flag_that_was_refused_can_be_mended(tmp_path):
    trials = Trials(tmp_path)
    flags = {"num_trials": 2, "eval_every_steps": 3, "num_train_epochs": 1}
    assert trials("--do_train", "--do_eval", best_metric="luck", **flags).status == 1
    trials.done(best_metric="accuracy", **flags)
    assert (trials.output / "trial-2" / "best").exists()


def test_trials_of_other_settings_are_refused(copy):
    before = commands.listing(copy.output)
    error = copy("--do_train", "--do_eval", num_trials=5, learning_rate=1e-2).error
    assert error == (
        f"--output_dir={copy.output / 'trial-1'} holds a trial with --learning_rate=0.001, this command has 0.01; "
        "choose another folder or delete that one"
    )
    error = copy("--do_train", "--do_eval", num_trials=2, output_dir=copy.output / "trial-1").error
    assert error == f"--output_dir={copy.output / 'trial-1'} holds a run, expected a folder for trials alone"
    assert commands.listing(copy.output) == before


def test_a_trial_that_was_asked_alone_is_still_a_trial(copy):
    outcome = copy("--do_predict", output_dir=copy.output / "trial-1", learning_rate=5e-5)
    assert outcome.status == 0, outcome.stderr
    expected = copy.summary["trials"][:2]
    shutil.copy(copy.flags["data_dir"] / "test.tsv", copy.flags["data_dir"] / "other.tsv")
    copy.done(num_trials=2, test_file="other.tsv", tpu_name="nowhere")  # neither was learned from
    assert copy.summary["trials"] == expected
    error = copy(
        "--do_train", "--do_eval", num_trials=2, learning_rate=5e-5
    ).error  # that of the asking, not the trials'
    assert "trial-1 holds a trial with --learning_rate=0.001, this command has 5e-05; choose" in error


def decided_by_flags_of(command: str) -> dict[str, str]:
    """Flag -> what it decides over."""
    settings = importlib.import_module(f"bert.commands.{command}").Settings
    return {field.name: field.metadata["decides"] for field in dataclasses.fields(settings)}


def test_what_every_option_decides_over():
    """What a trial may be asked anew with is marked at the option; an option without a mark counts as learned."""
    squad, faq = decided_by_flags_of("run_squad"), decided_by_flags_of("run_retrieval")
    nothing = {name for name, decides in (squad | faq).items() if decides == NOTHING}
    assert nothing >= {"top_k", "min_precision", "threshold_by", "rerank_model", "rerank_candidates", "rerank_label"}
    assert nothing >= {"index", "intent_model", "output_dir", "predict_file"}
    best = {"best_metric", "metric", "n_best_size", "max_answer_length", "null_score_diff_threshold", "dev_file"}
    best.add("eval_batch_size")  # the loss is a mean of batches
    assert {name for name, decides in squad.items() if decides == BEST} == best
    assert decided_by_flags_of("run_tagger")["constrained_decoding"] == BEST
    learned = {
        "learning_rate",
        "max_seq_length",
        "version_2_with_negative",
        "doc_stride",
        "temperature",
        "dev_fraction",
    }
    assert {(squad | faq)[name] for name in learned} == {WEIGHTS}


@pytest.mark.parametrize(("every", "is_refused"), [(0, False), (3, True)])
def test_what_chooses_the_best_may_change_where_nothing_is_chosen(tmp_path, every, is_refused):
    """The trial is written by hand: a checkpoint, and the flags that it was trained with."""
    trial = tmp_path / "trial-1"
    trial.mkdir()
    settings = importlib.import_module("bert.commands.run_tagger").Settings
    given = {"data_dir": "d", "vocab_file": "v", "bert_config_file": "c", "output_dir": str(trial)}
    trained_with = settings(**given, do_train=True, eval_every_steps=every)
    content = {"trained_with": dataclasses.asdict(trained_with), "settings": {"do_train": False}}
    (trial / "run.json").write_text(json.dumps(content))
    checkpoint.CheckpointFolder(str(trial)).save(1, {"a": np.zeros(1, np.float32)})
    now = dataclasses.replace(trained_with, constrained_decoding=True, predict_batch_size=2)
    if is_refused:
        with pytest.raises(InputError, match="trial with `constrained_decoding`=False, this command has True"):
            check_folder(now)
    else:
        check_folder(now)
