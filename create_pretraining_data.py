"""The command `bert create_pretraining_data`, as `python create_pretraining_data.py --flag=value ...`."""

from bert import cli
from bert.commands.create_pretraining_data import Settings, main

if __name__ == "__main__":
    cli.run(Settings, main)
