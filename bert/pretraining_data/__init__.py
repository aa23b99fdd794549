"""Pre-training data: documents -> sentence pairs -> masked instances -> records.

`exact.create` makes the original's records in the original's order; `streaming.create` and `beam.create` take corpora
that do not fit into memory, or onto one machine.
"""

MAIN_PROCESS = "BERT_MAIN_PROCESS"  # environment variable: the process that the fork server of `streaming` works for
