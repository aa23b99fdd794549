"""The command `bert run_squad`, as `python run_squad.py --flag=value ...`."""

from bert import cli
from bert.commands.run_squad import Settings, main

if __name__ == "__main__":
    cli.run(Settings, main)
