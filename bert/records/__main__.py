"""Prints docs/records.md."""

from bert.records.documentation import describe

if __name__ == "__main__":
    print(describe(), end="")
