"""The command `bert run_classifier`, as `python run_classifier.py --flag=value ...`."""

from bert import cli
from bert.commands.run_classifier import Settings, main

if __name__ == "__main__":
    cli.run(Settings, main)
