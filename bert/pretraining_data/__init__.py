"""Pre-training data: documents -> sentence pairs -> masked instances -> records.

`exact.create` makes the original's records in the original's order; `streaming.create` and `beam.create` take corpora
that do not fit into memory, or onto one machine.
"""
