"""The commands: one module each, with its settings and a main that is called with them.

They are `python COMMAND.py` in the checkout, and `bert COMMAND` where the package is installed.
"""
