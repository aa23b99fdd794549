"""What run_retrieval does, step by step: the model, the index, changes of it, evaluation, predictions.

settings  what the steps are told
work      the steps in their order
indexing  questions to vectors, and the index made or changed
asking    what queries find: reports, ranks, the threshold, predictions
"""
