"""Odd names and locales, odd streams, and the ends of the range of seeds."""

import os
import pathlib
import random
import shlex
import stat

from tests.campaign import children, verdicts
from tests.campaign.attacks.attack import Attack, end_faults
from tests.campaign.base import OUTPUT, SECONDS, Target

NAMES = (
    "[x]",
    "a[1-9]b",
    "what?",
    "all*",
    "two words",
    "two\nlines",
    "größe-山",
    "--flag",
    "semi;colon",
    "quote'd",
    "a$b",
    "per%cent",
)


def _output(target: Target) -> tuple[str, str]:
    """The flag that says where the output goes, and its value."""
    return target.output_flag, str(target.flags[target.output_flag])


class Names(Attack):
    """A name that exists is that file, whatever is in it; and any output folder can be gone on with."""

    kind = "names and links"
    weight = 3

    def attempt(self, generator: random.Random):
        if not self.has_scripts:
            return self.skipped("no target that is a script")
        target = self.base.pick(generator, lambda one: one.has_script)
        way = generator.choice(
            (self._odd_output, self._odd_input, self._linked, self._pipe, self._planted, self._locale)
        )
        with self.base.copy(target) as folder:
            return way(target, folder, generator.choice(NAMES))

    def _odd_output(self, target: Target, folder: pathlib.Path, name: str):
        """The folder of the outputs has the name; the command runs twice, since going on meets it again."""
        flag, value = _output(target)
        (folder / OUTPUT).rename(folder / f"{name} out")
        changes = {flag: value.replace(OUTPUT, f"{name} out", 1)}
        ended = [target.start(folder, **changes).end(SECONDS) for _ in range(2)]
        faults = [fault for one in ended for fault in verdicts.faults(one, (0,))]
        faults += end_faults(target, folder, f"{name} out")
        return self.verdict(f"{target.name}: output folder {name!r}", faults, ended)

    def _odd_input(self, target: Target, folder: pathlib.Path, name: str):
        changes = {}
        for flag in ("vocab_file", "bert_config_file", "train_file", "predict_file"):
            if flag in target.flags:
                value = str(target.flags[flag])
                (folder / value).rename(folder / f"{name} {value}")
                changes[flag] = f"{name} {value}"
        ended = children.run(target.script, target.arguments(**changes), folder, SECONDS)
        side_cars = [f"{record}.json" for record in target.undisturbed]  # with the flags, and so with the names
        faults = verdicts.faults(ended, (0,)) or end_faults(target, folder, telling=side_cars)
        return self.verdict(f"{target.name}: input files {name!r}", faults, [ended])

    def _linked(self, target: Target, folder: pathlib.Path, name: str):
        """All inputs and the output folder are links, which are followed and stay."""
        (folder / "real").mkdir()
        for path in (folder / one for one in (*target.inputs, OUTPUT)):
            path.rename(folder / "real" / path.name)
            path.symlink_to(pathlib.Path("real") / path.name)
        ended = target.run(folder)
        faults = verdicts.faults(ended, (0,)) or end_faults(target, folder)
        if not all((folder / one).is_symlink() for one in (*target.inputs, OUTPUT)):
            faults.append("a link was replaced")
        return self.verdict(f"{target.name}: links", faults, [ended])

    def _pipe(self, target: Target, folder: pathlib.Path, name: str):
        """What is no regular file is no place for an output: it is refused, and not replaced."""
        flag, _ = _output(target)
        os.mkfifo(folder / "pipe")
        arguments = target.arguments(**{flag: "pipe"})
        ended = children.run(target.script, arguments, folder, SECONDS)
        # The shards of the streaming mode are other files than the name given, which stays as it is.
        faults = verdicts.faults(ended, (0, 1) if target.name == "streaming" else (1,), (f"--{flag}", "pipe"))
        if not stat.S_ISFIFO((folder / "pipe").stat().st_mode):
            faults.append("the pipe was replaced")
        return self.verdict(f"{target.name}: a pipe as --{flag}", faults, [ended])

    def _planted(self, target: Target, folder: pathlib.Path, name: str):
        """A link to nowhere under a temporary name that could be guessed is not written through."""
        _, value = _output(target)
        guesses = [f"{value}.tmp-{pid}" for pid in range(os.getpid(), os.getpid() + 400)]
        for guess in (*guesses, f"{value}.blocks.tmp", f"{value}.tmp"):
            (folder / guess).symlink_to(folder / "victim")
        ended = target.run(folder)
        faults = verdicts.faults(ended, (0,))
        if (folder / "victim").exists():
            faults.append("wrote through a planted link")
        return self.verdict(f"{target.name}: links under guessed names", faults, [ended])

    def _locale(self, target: Target, folder: pathlib.Path, name: str):
        """A name beyond ASCII where the locale knows ASCII only: it works, or one line tells before any work."""
        flag, value = _output(target)
        (folder / OUTPUT).rename(folder / "größe-山")
        line = _line(target.script, target.arguments(**{flag: value.replace(OUTPUT, "größe-山", 1)}))
        ended = children.shell(line, folder, SECONDS, LC_ALL="C", LANG="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
        faults = verdicts.faults(ended, (0, 1))
        made = list((folder / "größe-山").iterdir())
        if ended.status == 0:
            faults += end_faults(target, folder, "größe-山")
        elif made:
            faults.append(f"made before the error: {made[0].name}")
        return self.verdict(f"{target.name}: a name beyond ASCII in the locale C", faults, [ended])


def _line(script: str, arguments: list[str]) -> str:
    return f'"$PYTHON" {" ".join(children.program(script, "$ROOT/"))} {shlex.join(arguments)}'


class Streams(Attack):
    """Closed standard streams and a reader that leaves early change nothing."""

    kind = "closed streams"

    def attempt(self, generator: random.Random):
        if not self.has_scripts:
            return self.skipped("no target that is a script")
        target = self.base.pick(generator, lambda one: one.has_script)
        with self.base.copy(target) as folder:
            if generator.random() < 0.5:
                line = f"set -o pipefail; {_line(target.script, ['--help'])} | head -1"
                ended = children.shell(line, folder, SECONDS)
                faults = verdicts.faults(ended, (0,))
                faults += ["something on standard error"] if ended.stderr else []
                return self.verdict(f"{target.script}: --help | head -1", faults, [ended])
            closed = generator.choice(("2>&-", ">&-", "<&-", "<&- >&- 2>&-"))
            ended = children.shell(f"{_line(target.script, target.arguments())} {closed}", folder, SECONDS)
            faults = verdicts.faults(ended, (0,)) or end_faults(target, folder)
        return self.verdict(f"{target.name}: {closed}", faults, [ended])


class Seeds(Attack):
    """The least and the largest seed are seeds like others: they train, and the same seed gives the same."""

    kind = "ends of the seeds"

    def attempt(self, generator: random.Random):
        if not any(target.seed_flag for target in self.base.targets.values()):
            return self.skipped("no target with a seed")
        target = self.base.pick(generator, lambda one: one.seed_flag)
        seed = generator.choice((0, 2**31 - 1))
        with self.base.copy(target) as folder:
            arguments = target.arguments(**{target.seed_flag: seed})
            ended = children.run(target.script, arguments, folder, SECONDS)
            faults = verdicts.faults(ended, (0,)) + verdicts.leftovers(folder)
        return self.verdict(f"{target.name}: --{target.seed_flag}={seed}", faults, [ended])
