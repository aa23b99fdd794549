"""Prints docs/records.md."""

from bert.records.documentation import describe

print(describe(), end="")
