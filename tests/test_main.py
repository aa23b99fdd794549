"""`bert COMMAND` and `python -m bert COMMAND`: the list, a mistyped command, the same help as the scripts."""

import os
import pathlib
import shlex
import subprocess
import sys

import pytest

import bert
from bert import __main__ as front

ROOT = pathlib.Path(__file__).parent.parent
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))


def outcome(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of `bert ARGUMENTS`."""
    with pytest.raises(SystemExit) as end:
        front.main(["bert", *arguments])
    return end.value.code, *capsys.readouterr()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_bert_alone_lists_the_commands_with_a_line_each(capsys, arguments):
    status, stdout, stderr = outcome(capsys, *arguments)
    assert (status, stderr) == (0, "")
    listed = dict(line.split(maxsplit=1) for line in stdout.partition("Commands:\n")[2].splitlines())
    assert list(listed) == front.command_names()
    assert listed["run_classifier"] == "Fine-tunes BERT on sentences or pairs of sentences, evaluates it, and predicts."
    assert all(text[0].isupper() and text.endswith(".") for text in listed.values())
    assert max(map(len, stdout.splitlines())) <= 120


def test_every_script_is_a_command_and_every_command_can_run():
    assert set(SCRIPTS) <= set(front.command_names())
    for name in front.command_names():
        command = front.find_command(name)
        assert callable(command.main)
        assert command.Settings.__module__ == command.__name__  # --help prints the docstring of that module


def test_a_new_module_is_a_new_command(capsys, monkeypatch, tmp_path):
    (tmp_path / "greet_everyone.py").write_text('"""Says hello. And more."""\n')
    monkeypatch.setattr(front.commands, "__path__", [*front.commands.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "bert.commands.greet_everyone", raising=False)
    assert "  Says hello.\n" in outcome(capsys)[1]
    assert "did you mean greet_everyone?" in outcome(capsys, "greet_everyon")[2]


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ("run_clasifier", ", did you mean run_classifier?"),
        ("run-squad", ", did you mean run_squad?"),
        ("run_tagger.py", ", did you mean run_tagger?"),
        ("zzz", " (bert --help lists all commands)"),
        ("--task_name=MRPC", " (bert --help lists all commands)"),
    ],
)
def test_a_mistyped_command_is_answered_with_the_nearest(capsys, typed, advice):
    assert outcome(capsys, typed, "--do_train") == (1, "", f"error: unknown command '{typed}'{advice}\n")


def test_a_mistyped_flag_of_a_command(capsys):
    expected = "error: unknown flag --do_trian, did you mean --do_train?\n"
    assert outcome(capsys, "run_squad", "--do_trian") == (1, "", expected)


def test_version(capsys):
    assert outcome(capsys, "--version") == (0, f"bert {bert.__version__}\n", "")


def test_first_sentence_ends_where_a_reader_would_end_it():
    assert front.first_sentence("Reads SQuAD 1.1 and\n2.0. Then more.\n\nAnd more.") == "Reads SQuAD 1.1 and 2.0."
    assert front.first_sentence("Reads records of create.py\n\n    bert read") == "Reads records of create.py"


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_is_the_script_s_own(script):
    """And asks only for the command that is named: --help waits for nothing else, TensorFlow least of all."""
    module, file = (
        subprocess.run([sys.executable, *start, "--help"], cwd=ROOT, capture_output=True, text=True)
        for start in (["-m", "bert", script], [f"{script}.py"])
    )
    assert (module.returncode, module.stderr) == (0, "")
    assert module.stdout == file.stdout
    assert f"\n    bert {script} --" in module.stdout


@pytest.mark.parametrize("arguments", [[], ["--version"], ["run_classifier", "--help"]])
def test_output_that_nobody_reads_or_that_has_no_room(arguments):
    """`bert | true` is no error, `bert > /dev/full` is one, in one line; a closed standard output is none."""
    reader, writer = os.pipe()
    os.close(reader)
    full = os.open("/dev/full", os.O_WRONLY)
    told = {writer: (0, ""), full: (1, "error: standard output: No space left on device\n")}
    command = [sys.executable, "-m", "bert", *arguments]
    for stdout, expected in told.items():
        done = subprocess.run(command, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True)
        os.close(stdout)
        assert (done.returncode, done.stderr) == expected
    shell = f"{shlex.join(command)} >&-"
    closed = subprocess.run(shell, shell=True, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert (closed.returncode, closed.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [[], ["--version"], ["run_clasifier"], ["run_classifier", "--help"]])
def test_no_tensorflow_on_the_way(arguments):
    code = (
        "import sys\n"
        "from bert.__main__ import main\n"
        "try:\n"
        f"    main(['bert', *{arguments}])\n"
        "finally:\n"
        "    assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules), sorted(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "AssertionError" not in done.stderr, done.stderr
    assert done.returncode == (1 if arguments == ["run_clasifier"] else 0)


def test_what_the_import_made_is_not_searched_for_garbage():
    """And nothing that a later command of the same process has left behind is kept for it."""
    code = (
        "import gc\n"
        "from bert import cli\n"
        "cli.import_tensorflow()\n"
        "count = gc.get_freeze_count()\n"
        "assert gc.isenabled() and count > 100_000, count\n"
        "cli.import_tensorflow()\n"
        "assert gc.isenabled() and gc.get_freeze_count() <= count\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
