"""Disks that are full at a random place: a limit on the size of files, or a small file system."""

import contextlib
import os
import pathlib
import random
import subprocess

from tests.campaign import verdicts
from tests.campaign.attacks.attack import Attack, end_faults, rerun_faults
from tests.campaign.base import OUTPUT, Target

_PAGE = 4096


class FullDisk(Attack):
    """The command says what it could not write; with room, the same command ends as if undisturbed."""

    kind = "full disk"
    weight = 2

    def attempt(self, generator: random.Random):
        target = self.base.pick(generator)
        whole = verdicts.listing(self.base.folder / target.name / "whole" / OUTPUT)
        limits_files = generator.random() < 0.5 or not _may_mount()
        most = max(map(len, whole.values())) if limits_files else sum(map(len, whole.values())) + _PAGE * len(whole)
        size = int(most * generator.uniform(0, 1.05))
        with self.base.copy(target) as folder:
            if limits_files:
                return self._limited(target, folder, size)
            return self._mounted(target, folder, max(_PAGE, size // _PAGE * _PAGE))

    def _limited(self, target: Target, folder: pathlib.Path, size: int):
        ended = [target.run(folder, file_limit=size)]
        return self._judged(f"{target.name}: no file larger than {size} bytes", target, folder, ended)

    def _mounted(self, target: Target, folder: pathlib.Path, size: int):
        with _small_disk(folder / OUTPUT, size):
            ended = [target.run(folder)]
            subprocess.run(["mount", "-o", "remount,size=256m", str(folder / OUTPUT)], check=True)
            return self._judged(f"{target.name}: a disk of {size} bytes", target, folder, ended)

    def _judged(self, what: str, target: Target, folder: pathlib.Path, ended: list):
        # What is written where is told by the file's name, or by the flag of a folder.
        culprits = (f"{OUTPUT}/", f"={OUTPUT}", f"{OUTPUT}:", ".tfrecord")
        faults = verdicts.faults(ended[0], (0, 1), culprits)
        if ended[0].status == 0:
            faults += end_faults(target, folder)
        else:
            faults += verdicts.leftovers(folder) + rerun_faults(target, folder, ended)
        return self.verdict(what, faults, ended)


def _may_mount() -> bool:
    return os.geteuid() == 0 and os.path.exists("/proc/self/mounts")


@contextlib.contextmanager
def _small_disk(folder: pathlib.Path, size: int):
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "campaign", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
