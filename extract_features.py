"""The command `bert extract_features`, as `python extract_features.py --flag=value ...`."""

from bert import cli
from bert.commands.extract_features import Settings, main

if __name__ == "__main__":
    cli.run(Settings, main)
