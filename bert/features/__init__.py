"""From lines of text to what a BERT makes of them: vectors for every WordPiece, or one for a whole text.

`Extractor` is the model, loaded once; `extract` runs it over files in this process, `beam` on an Apache Beam runner.
"""
