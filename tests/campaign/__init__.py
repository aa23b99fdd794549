"""The attack campaign: the commands under kills, full disks, damaged and hostile files, and each other.

    python -m tests.campaign --minutes=30 --seed=7        or    make campaign CAMPAIGN_MINUTES=30 CAMPAIGN_SEED=7

`targets` makes tiny models and data for every command and runs each once undisturbed. The classes of `attacks` then
disturb copies of these from the `base`, `children` runs the commands, and `verdicts` says which answers fell short.
Everything happens in a temporary folder; no device is ever written to. docs/robustness.md tells what counts as well.
"""
