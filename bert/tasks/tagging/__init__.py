"""Sequence labelling: a tag for every word of a sentence, as in named entity recognition (section 5.3).

conll       files of words and tags, and the task that reads them
windows     sentences as rows of max_seq_length WordPieces, and their records
schemes     what tags mean: spans, and which tag may follow which
decoding    scores to tags
evaluation  spans found, precision, recall, F1
"""

from bert.tasks.tagging import conll, decoding, evaluation, schemes, windows

__all__ = ["conll", "decoding", "evaluation", "schemes", "windows"]
