"""Answers to frequent questions by similarity: the knowledge base, what is learned from it, search, judging.

knowledge    tables of questions and answers; pairs of equal questions as such a table
splitting    what of a knowledge base is kept for evaluation
sampling     a question's partner, drawn anew in each epoch, and its wrong neighbours
search       the nearest questions: exactly, or by a graph of faiss
bm25         the nearest questions by their words
ranking      the nearest answers: copies left out, ordered anew by a second model
judging      how far up the right answers stand
calibration  below which score the answer is: I don't know
index        vectors and questions in a folder, with the fingerprint of what made them
"""
