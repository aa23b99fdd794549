"""Exact match and F1 of predicted answers, as the official scripts count them: SQuAD 1.1, SQuAD 2.0, CMRC 2018.

Rajpurkar et al. 2016 and 2018 for the first two; Cui et al. 2019 for Chinese, where characters take the place of words.
Every score is in percent, the best over a question's reference answers.
"""

import collections
import dataclasses
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bert.measures import Measure
from bert.tasks.squad.examples import Example

MEASURES = (Measure("exact_match"), Measure("f1"))  # in percent
_OFFICIAL_NAMES = {"exact_match": ("exact_match", "exact", "EM"), "f1": ("f1", "F1")}  # of 1.1, 2.0, CMRC

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CHINESE = "\u4e00-\u9fa5"
# Signs that CMRC counts as no part of an answer.
_CMRC_SIGNS = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_CMRC_PARTS = re.compile(rf"[{_CHINESE}]|\d+(?:[.,]\d+)*|[^\W{_CHINESE}]+|[^\w\s]")


@dataclasses.dataclass(frozen=True)
class Report:
    """How well questions were answered; `official` are the scores under the names of their evaluation script, and
    `best_threshold` the odds above which "no answer" should be said, with the F1 that it gives."""

    questions: int
    official: Mapping[str, float]
    best_threshold: tuple[float, float] | None = None

    @property
    def measures(self) -> dict[str, float]:
        """Exact match and F1, in percent, whatever the script calls them."""
        return {
            measure: next(self.official[name] for name in names if name in self.official)
            for measure, names in _OFFICIAL_NAMES.items()
        }

    def table(self) -> list[str]:
        if self.best_threshold is None:
            return []
        f1, threshold = self.best_threshold
        return [f"The best F1 over all thresholds is {f1:.2f}, with `null_score_diff_threshold`={threshold}."]

    def values(self) -> dict[str, Any]:
        return {"questions": self.questions, "measures": self.measures, "scores": dict(self.official)}


def report(
    examples: Sequence[Example],
    predictions: Mapping[str, str],
    metric: str = "auto",
    null_odds: Mapping[str, float] | None = None,
    best_predictions: Mapping[str, str] | None = None,
) -> Report:
    """Judges answers (id -> text); `best_predictions` are those given where "no answer" is never said."""
    official = evaluate(examples, predictions, null_odds, metric)
    best = None
    if "best_f1" in official:
        over_all = evaluate(examples, best_predictions or predictions, null_odds, metric)
        best = over_all["best_f1"], over_all["best_f1_thresh"]
    return Report(len(examples), official, best)


def evaluate(
    examples: Sequence[Example],
    predictions: Mapping[str, str],
    null_odds: Mapping[str, float] | None = None,
    metric: str = "auto",
) -> dict[str, float]:
    """Scores by name for the answers (id -> text) to all examples.

    squad: `exact_match` and `f1`, or, where some question has no reference answer, the names and rules of 2.0:
    `exact`, `f1`, `total`, both for HasAns and NoAns, and with `null_odds` the best threshold for each.
    cmrc: `EM`, `F1`, `AVERAGE` and `TOTAL`. auto: cmrc for Chinese documents, squad for all others.
    """
    if metric == "auto":
        metric = "cmrc" if has_chinese_documents(examples) else "squad"
    if metric == "cmrc":
        return _evaluate_cmrc(examples, predictions)
    if all(example.references for example in examples):
        exact = _scores(examples, predictions, exact_match, keep_empty=True)
        f1 = _scores(examples, predictions, word_f1, keep_empty=True)
        return {"exact_match": _percent(exact.values()), "f1": _percent(f1.values())}
    return _evaluate_with_impossible(examples, predictions, null_odds)


def has_chinese_documents(examples: Sequence[Example]) -> bool:
    """Whether at least a third of the characters of the documents, spaces aside, are Chinese."""
    text = "".join({example.document: "".join(example.document.words) for example in examples}.values())
    return 3 * len(re.findall(f"[{_CHINESE}]", text)) >= max(len(text), 1)


def normalize(text: str) -> str:
    """Lower case, without punctuation (ASCII), articles and superfluous space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, reference: str) -> float:
    return float(normalize(prediction) == normalize(reference))


def word_f1(prediction: str, reference: str) -> float:
    """Harmonic mean of the shares of words that both have in common, each word as often as both have it."""
    predicted, expected = normalize(prediction).split(), normalize(reference).split()
    common = sum((collections.Counter(predicted) & collections.Counter(expected)).values())
    return _f1(common, len(predicted), len(expected))


def _f1(common: int, predicted: int, expected: int) -> float:
    if common == 0:
        return 0.0
    precision, recall = common / predicted, common / expected
    return 2 * precision * recall / (precision + recall)


def _percent(scores: Iterable[float]) -> float:
    scores = list(scores)
    return 100.0 * sum(scores) / len(scores)


def _scores(
    examples: Sequence[Example],
    predictions: Mapping[str, str],
    score: Callable[[str, str], float],
    keep_empty: bool = False,
) -> dict[str, float]:
    """Id -> best score over the references. Under the rules of 2.0 a reference of which normalization leaves nothing
    does not count, and without any the empty text is right; 1.1 (`keep_empty`) takes all as they are."""
    result = {}
    for example in examples:
        references = [text for text in example.references if keep_empty or normalize(text)]
        result[example.id] = max(score(predictions[example.id], text) for text in references or [""])
    return result


def _f1_or_both_empty(prediction: str, reference: str) -> float:
    if not normalize(prediction) or not normalize(reference):
        return exact_match(prediction, reference)
    return word_f1(prediction, reference)


def _evaluate_with_impossible(
    examples: Sequence[Example], predictions: Mapping[str, str], null_odds: Mapping[str, float] | None
) -> dict[str, float]:
    measured = {
        "exact": _scores(examples, predictions, exact_match),
        "f1": _scores(examples, predictions, _f1_or_both_empty),
    }
    answerable = {example.id: bool(example.references) for example in examples}
    results: dict[str, float] = {}
    for prefix, wanted in (("", (True, False)), ("HasAns_", (True,)), ("NoAns_", (False,))):
        ids = [name for name, has_answer in answerable.items() if has_answer in wanted]
        if ids:
            results.update({f"{prefix}{name}": _percent(scores[id] for id in ids) for name, scores in measured.items()})
            results[f"{prefix}total"] = len(ids)
    if null_odds:
        for name, scores in measured.items():
            best, threshold = best_threshold(scores, predictions, null_odds, answerable)
            results.update({f"best_{name}": best, f"best_{name}_thresh": threshold})
    return results


def best_threshold(
    scores: Mapping[str, float],
    predictions: Mapping[str, str],
    null_odds: Mapping[str, float],
    answerable: Mapping[str, bool],
) -> tuple[float, float]:
    """The best mean score in percent, and the threshold for it: "no answer" is said where the odds are above.

    Starts from "no answer" everywhere and gives the answers back one by one, the surest first.
    """
    score: float = sum(not has_answer for has_answer in answerable.values())
    best, threshold = score, 0.0
    for name in sorted(null_odds, key=null_odds.__getitem__):
        if answerable[name]:
            score += scores[name]
        elif predictions[name]:
            score -= 1
        if score > best:
            best, threshold = score, null_odds[name]
    return 100.0 * best / len(scores), threshold


def _evaluate_cmrc(examples: Sequence[Example], predictions: Mapping[str, str]) -> dict[str, float]:
    pairs = [(predictions[example.id], example.references or ("",)) for example in examples]
    exact = _percent(max(cmrc_exact_match(text, reference) for reference in references) for text, references in pairs)
    f1 = _percent(max(cmrc_f1(text, reference) for reference in references) for text, references in pairs)
    return {"EM": exact, "F1": f1, "AVERAGE": (exact + f1) / 2, "TOTAL": len(pairs)}


def cmrc_exact_match(prediction: str, reference: str) -> float:
    """Whether both are the same but for case, signs, and space at the ends."""
    return float(_without_signs(prediction) == _without_signs(reference))


def cmrc_f1(prediction: str, reference: str) -> float:
    """F1 of the longest run of parts (see `cmrc_parts`) that both have in common."""
    predicted, expected = cmrc_parts(prediction), cmrc_parts(reference)
    if not predicted or not expected:
        return float(predicted == expected)
    return _f1(longest_common_run(predicted, expected), len(predicted), len(expected))


def cmrc_parts(text: str) -> list[str]:
    """Chinese characters, and words and numbers of other scripts, in lower case and without signs."""
    return _CMRC_PARTS.findall(_without_signs(text))


def _without_signs(text: str) -> str:
    return "".join(character for character in text.lower().strip() if character not in _CMRC_SIGNS)


def longest_common_run(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest sequence that stands, without a gap, in both."""
    longest = 0
    ending = [0] * (len(b) + 1)  # ending[j]: length of the run that ends in the current part of a and in b[j - 1]
    for part in a:
        ending = [0, *(ending[j] + 1 if part == other else 0 for j, other in enumerate(b))]
        longest = max(longest, *ending)
    return longest
