"""How many floating-point operations training needs, on real tokens alone: what padding costs is not useful.

Counted are the products of dense layers, attention and heads, a multiplication and an addition each; exactly, forward,
and twice that for the backward pass, which has one product for the gradient of each factor. Look-ups, sums,
normalization, activations, dropout and the optimizer are not counted. Of the last layer only the positions whose output
somebody reads count.
"""

from bert.config import BertConfig

FORWARD_AND_BACKWARD = 3


def classifier(config: BertConfig, tokens: int, classes: int = 2) -> int:
    """Operations to train on one sequence: [CLS] is read."""
    hidden = config.hidden_size
    heads = _product(1, hidden, hidden) + _product(1, hidden, classes)  # pooler, projection
    return FORWARD_AND_BACKWARD * (encoder(config, tokens, 1) + heads)


def pretraining(config: BertConfig, tokens: int, masked: int) -> int:
    """Operations to train on one instance: [CLS] and the masked positions are read."""
    hidden = config.hidden_size
    masked_lm = _product(masked, hidden, hidden) + _product(masked, hidden, config.vocab_size)
    next_sentence = _product(1, hidden, hidden) + _product(1, hidden, 2)
    return FORWARD_AND_BACKWARD * (encoder(config, tokens, 1 + masked) + masked_lm + next_sentence)


def encoder(config: BertConfig, tokens: int, read: int) -> int:
    """Operations of one forward pass over one sequence of which the last layer computes `read` positions."""
    return (config.num_hidden_layers - 1) * _layer(config, tokens, tokens) + _layer(config, tokens, read)


def _layer(config: BertConfig, tokens: int, read: int) -> int:
    hidden, wide = config.hidden_size, config.intermediate_size
    query = _product(read, hidden, hidden)
    key_and_value = 2 * _product(tokens, hidden, hidden)
    scores_and_context = 2 * _product(read, hidden, tokens)  # over N heads of D = H / N each: H in all
    output = _product(read, hidden, hidden)
    feed_forward = 2 * _product(read, hidden, wide)
    return query + key_and_value + scores_and_context + output + feed_forward


def _product(rows: int, inner: int, columns: int) -> int:
    """[rows, inner] times [inner, columns]."""
    return 2 * rows * inner * columns
