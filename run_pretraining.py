"""The command `bert run_pretraining`, as `python run_pretraining.py --flag=value ...`."""

from bert import cli
from bert.commands.run_pretraining import Settings, main

if __name__ == "__main__":
    cli.run(Settings, main)
