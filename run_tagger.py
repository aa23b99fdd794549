"""The command `bert run_tagger`, as `python run_tagger.py --flag=value ...`."""

from bert import cli
from bert.commands.run_tagger import Settings, main

if __name__ == "__main__":
    cli.run(Settings, main)
