"""Plain-Python models of what run_squad does with windows and answers, from the facts: slow, small, easy to check."""

from collections.abc import Mapping, Sequence

from tests.reference_tokenizer import basic_tokens, is_chinese_character, tokens

SPACES = " \t\r\n\u202f"


def spans(document_size: int, room: int, stride: int) -> list[tuple[int, int]]:
    """First piece and size of each window."""
    found, start = [], 0
    while start < document_size:
        size = min(room, document_size - start)
        found.append((start, size))
        if start + size == document_size:
            break
        start += min(size, stride)
    return found


def best_window(windows: Sequence[tuple[int, int]], piece: int) -> int:
    """The window in which a piece has most context."""
    scores = {}
    for number, (first, size) in enumerate(windows):
        left, right = piece - first, first + size - 1 - piece
        if left >= 0 and right >= 0:
            scores[number] = min(left, right) + 0.01 * size
    return max(scores, key=scores.get)


def document_words(text: str) -> list[tuple[int, int]]:
    """First character and end of each word: what stands between spaces, and every Chinese character."""
    words, inside = [], False
    for place, character in enumerate(text):
        if is_chinese_character(character) or character in SPACES:
            inside = False
        elif inside:
            words[-1] = (words[-1][0], place + 1)
        else:
            inside = True
            words.append((place, place + 1))
        if is_chinese_character(character):
            words.append((place, place + 1))
    return words


def single_spaced(text: str) -> str:
    for space in SPACES:
        text = text.replace(space, " ")
    return " ".join(filter(None, text.split(" ")))


def projected(predicted: str, original: str, lower_case: bool) -> str:
    """A text of WordPieces as characters of the original, by two maps between places with and without spaces."""
    normal = " ".join(basic_tokens(original, lower_case))
    start = normal.find(predicted)
    if start == -1:
        return original
    end = start + len(predicted) - 1
    to_original = [place for place, character in enumerate(original) if character != " "]
    solid = [place for place, character in enumerate(normal) if character != " "]
    if len(to_original) != len(solid) or start not in solid or end not in solid:
        return original
    return original[to_original[solid.index(start)] : to_original[solid.index(end)] + 1]


def n_best(
    text: str,
    ids: Mapping[str, int],
    windows: Sequence[tuple[int, int]],
    offset: int,
    logits: Sequence[tuple[Sequence[float], Sequence[float]]],
    options,
    do_lower_case: bool = True,
) -> list[tuple[str, float, float]]:
    """(text, start logit, end logit) of the n best answers; `logits` holds starts and ends of each window."""
    words = document_words(text)
    pieces, word_of = [], []
    for first, end in words:
        for piece in tokens(text[first:end], ids, do_lower_case):
            pieces.append(piece)
            word_of.append((first, end))
    candidates = []
    for number, (first, size) in enumerate(windows):
        starts, ends = logits[number]
        for i in largest(starts, options.n_best_size):
            for j in largest(ends, options.n_best_size):
                if not (offset <= i <= j < offset + size) or j - i + 1 > options.max_answer_length:
                    continue
                if best_window(windows, first + i - offset) == number:
                    candidates.append((first + i - offset, first + j - offset, starts[i], ends[j]))
    if options.version_2_with_negative:
        starts, ends = min(logits, key=lambda pair: pair[0][0] + pair[1][0])
        candidates.append((None, None, starts[0], ends[0]))
    candidates.sort(key=lambda candidate: candidate[2] + candidate[3], reverse=True)
    found = {}
    for i, j, start_logit, end_logit in candidates:
        if len(found) == options.n_best_size:
            break
        answer = ""
        if i is not None:
            predicted = " ".join(pieces[i : j + 1]).replace(" ##", "").replace("##", "")
            original = single_spaced(text[word_of[i][0] : word_of[j][1]])
            answer = projected(" ".join(predicted.split()), original, do_lower_case)
        found.setdefault(answer, (answer, start_logit, end_logit))
    if options.version_2_with_negative and "" not in found:
        found[""] = ("", starts[0], ends[0])
    return list(found.values()) or [("empty", 0.0, 0.0)]


def largest(values: Sequence[float], count: int) -> list[int]:
    return sorted(range(len(values)), key=values.__getitem__, reverse=True)[:count]
