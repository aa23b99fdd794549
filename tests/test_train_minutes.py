"""--train_minutes: a plan that fits into the time, training that is a function of the plan, and runs that keep it."""

import json
import re
import time

import pytest

from bert.training.budget import fitting_steps
from bert.training.speed import Speed
from tests import commands
from tests.training_runs import assert_same_bits, flags_of, last_values, losses, start, wait_for_step

MINUTES = 1
SECONDS = r"Seconds: (\S+) a step \(\d+ measured\), (\S+) an evaluation, (\S+) a checkpoint, (\S+) to begin"
SMALL = {"num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 32}


def run(folder, **changes) -> commands.Outcome:
    return commands.run("run_pretraining", **flags_of(folder, **{**SMALL, **changes}))


def plan_of(folder) -> dict:
    return json.loads((folder / "output" / "run.json").read_text())["plan"]


@pytest.mark.slow
def test_a_plan_fills_the_time_at_the_measured_speed_and_is_the_run_of_its_steps(tmp_path):
    """And the same bits come of that number of steps without a budget: what was measured left no trace.

    When the run ends is the machine's affair: freed from other work after the measuring, it may need half the time.
    """
    common = {"train_minutes": MINUTES, "num_train_steps": 100_000, "num_warmup_steps": 20_000, "do_eval": True}
    began = time.monotonic()
    outcome = run(tmp_path / "timed", save_checkpoints_steps=50, **common)
    seconds = time.monotonic() - began
    assert outcome.status == 0, outcome.stderr
    plan = plan_of(tmp_path / "timed")
    assert plan["train_minutes"] == MINUTES
    assert plan["warmup_steps"] == plan["total_steps"] // 5
    assert plan["seconds_used"] == pytest.approx(seconds, abs=1)
    steps, warmup = plan["total_steps"], plan["warmup_steps"]
    printed = re.search(rf"  Plan: {steps} steps \({warmup} warmup\) in the (\d\.\d) minutes left", outcome.stderr)
    assert printed
    assert 0 < float(printed[1]) <= MINUTES  # 1.0 on a machine that measures in less than three seconds
    step, evaluation, checkpoint, begin = map(float, re.search(SECONDS, outcome.stderr).groups())
    planned = begin + evaluation + checkpoint + steps * (step + checkpoint / 50)
    assert planned == pytest.approx(60 * float(printed[1]), rel=0.005, abs=3)  # the minutes have one digit, 6 seconds
    assert f"  Num steps = {steps} ({warmup} warmup)" in outcome.stderr
    assert re.search(r"At the end: \d\.\d of 1 minutes used\.", outcome.stderr)
    assert len(losses(tmp_path / "timed")) == steps
    told = run(tmp_path / "told", num_train_steps=steps, num_warmup_steps=warmup)
    assert told.status == 0, told.stderr
    assert losses(tmp_path / "told") == losses(tmp_path / "timed")
    assert_same_bits(last_values(tmp_path / "told" / "output"), last_values(tmp_path / "timed" / "output"))


@pytest.mark.parametrize("precision", ["none", pytest.param("float16", marks=pytest.mark.slow)])
def test_measuring_leaves_no_trace(tmp_path, precision):
    """Neither in the weights and slots nor in the loss scale."""
    common = {"mixed_precision": precision, "num_train_steps": 3, "num_warmup_steps": 1}
    assert run(tmp_path / "told", **common).status == 0
    outcome = run(tmp_path / "timed", train_minutes=MINUTES, **common)
    assert outcome.status == 0, outcome.stderr
    assert re.search(r"\d+ steps would fit into --train_minutes, but --num_train_steps is 3\.", outcome.stderr)
    assert_same_bits(last_values(tmp_path / "told" / "output"), last_values(tmp_path / "timed" / "output"))


@pytest.mark.slow
def test_a_killed_run_goes_on_with_its_plan_and_counts_its_time(tmp_path):
    flags = flags_of(tmp_path, train_minutes=MINUTES, num_train_steps=400, save_checkpoints_steps=20, **SMALL)
    process = start(flags)
    assert wait_for_step(process, tmp_path, 50)
    process.kill()
    process.wait()
    process.stderr.close()
    plan = plan_of(tmp_path)
    outcome = commands.run("run_pretraining", **flags)
    assert outcome.status == 0, outcome.stderr
    assert "***** Measuring" not in outcome.stderr
    assert f"run.json: {plan['total_steps']} steps ({plan['warmup_steps']} warmup)" in outcome.stderr
    assert re.search(r"So far: \d\.\d of 1 minutes used\.", outcome.stderr)
    assert plan_of(tmp_path)["seconds_used"] > plan["seconds_used"] > 0
    assert len(losses(tmp_path)) == plan["total_steps"]
    told = {"num_train_steps": plan["total_steps"], "num_warmup_steps": plan["warmup_steps"], **SMALL}
    assert run(tmp_path / "told", **told).status == 0
    assert_same_bits(last_values(tmp_path / "told" / "output"), last_values(tmp_path / "output"))


@pytest.mark.slow
def test_a_plan_is_kept(tmp_path):
    common = {"train_minutes": 1, "num_train_steps": 3}
    assert run(tmp_path, **common).status == 0
    finished = run(tmp_path, **common)
    assert "this run has finished" in finished.stderr
    path = tmp_path / "output" / "run.json"
    assert run(tmp_path, train_minutes=2, num_train_steps=3).error == (
        f"--train_minutes is 2, but the run of {path} is planned for 1, and its learning rates with it; give 1 or "
        "choose another --output_dir"
    )
    error = run(tmp_path, train_minutes=1, num_train_steps=2).error
    assert error == f"{path}: the plan has 3 steps, expected 1 to --num_train_steps=2"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "plan": {**content["plan"], "total_steps": "many"}}))
    assert run(tmp_path, **common).error == f"{path}: 'plan.total_steps' is \"many\", expected a whole number"
    path.write_text(json.dumps({**content, "plan": {**content["plan"], "warmup_steps": 1}}))
    assert run(tmp_path, **common).error.startswith(f"{path}: the plan is not as it was written")
    more = run(tmp_path, num_train_steps=5)
    assert more.status == 0, more.stderr
    assert len(losses(tmp_path)) == 5


def test_nonsense_is_refused(tmp_path):
    for value in ("-1", "nan", "inf"):
        error = run(tmp_path, train_minutes=value).error
        assert error == f"--train_minutes is {float(value)}, expected a number above 0, or 0 for no budget"
    assert "no step fits, for starting and measuring take" in run(tmp_path, train_minutes=0.001).error
    assert not list((tmp_path / "output").glob("model.ckpt*"))
    assert run(tmp_path, num_train_steps=2).status == 0
    error = run(tmp_path, train_minutes=1).error
    assert error.startswith(f"--train_minutes: {tmp_path / 'output' / 'model.ckpt-2'} is of a run without a plan")


def test_evaluations_and_checkpoints_take_their_share():
    class Settings:
        save_checkpoints_steps, eval_every_steps = 100, 0

    speed = Speed(start=10, step=1, steps=32, evaluation=20, checkpoint=5)
    assert fitting_steps(speed, 10 + 20 + 5 + 1000 * 1.05, Settings) == 1000
    Settings.eval_every_steps = 50
    assert fitting_steps(speed, 10 + 20 + 5 + 1000 * 1.55, Settings) == 1000
    assert fitting_steps(speed, 35, Settings) == 0
