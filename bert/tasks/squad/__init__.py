"""Question answering on the files of SQuAD 1.1 and 2.0: an answer is a span of a document (section 4.2 and 4.3).

examples    the JSON file: documents, questions, answers
windows     questions and documents as rows of max_seq_length WordPieces, and their records
projection  a span of WordPieces back to the document's own characters
answers     logits to the n best answers, and the files that hold them
evaluation  exact match and F1
"""

from bert.tasks.squad import answers, evaluation, examples, projection, windows

__all__ = ["answers", "evaluation", "examples", "projection", "windows"]
