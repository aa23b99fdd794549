"""The kinds of fine-tuning, behind one seam.

base                what a kind has to say: how its examples are read, laid into records, modelled, scored, written
fine_tune           the one function that trains, evaluates and predicts any of them
trials              the same several times, each with its own seed, and what their results have in common
classification      a class, several classes or a number for a text or a pair
question_answering  an answer's place in a document
tagging             a tag for every word
retrieval           questions of the same answer close together
"""
