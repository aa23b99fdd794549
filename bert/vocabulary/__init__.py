"""Where a vocabulary comes from, and how words of a field get into one that a model was trained with.

A corpus is read once into a table of word counts (`counting`). `building` makes a vocabulary of it: characters, then
pieces that `learning` finds. `candidates` finds words that a vocabulary splits badly, `adding` puts words into it, and
`growing` gives the model a vector for each.
"""
