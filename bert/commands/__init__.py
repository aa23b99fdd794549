"""The commands: one module each, with its settings and a main that is called with them.

They are `bert COMMAND` where the package is installed, `python -m bert COMMAND` in the checkout too; those of the
original, and run_tagger, also `python COMMAND.py` there.
"""
