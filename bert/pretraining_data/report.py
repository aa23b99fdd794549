"""What a run tells: progress while it works, a corpus report at the end."""

import dataclasses
import logging
import os
import time
from collections.abc import Mapping, Sequence

import numpy as np

from bert import reporting
from bert.pretraining_data.corpus import Corpus
from bert.pretraining_data.plans import A_START, A_STOP, B_START, B_STOP, IS_RANDOM_NEXT, MASKED, NOTHING
from bert.tokenization import Vocabulary

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_UPDATES = 0.5


@dataclasses.dataclass
class Counts:
    """Counts of a corpus and of the instances made of it; those of two parts add up."""

    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    unknown_tokens: int = 0
    continuing_pieces: int = 0  # pieces that continue a word; counted for whole-word masking only
    duplicate_documents: int = 0
    one_sentence_documents: int = 0
    instances: int = 0
    random_next: int = 0
    pieces: int = 0  # of all instances, [CLS] and [SEP] counted, padding not
    masked_pieces: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))

    @classmethod
    def of_corpus(cls, corpus: Corpus, vocabulary: Vocabulary) -> "Counts":
        return cls(
            documents=corpus.num_documents,
            sentences=corpus.num_sentences,
            tokens=corpus.num_tokens,
            unknown_tokens=int(np.count_nonzero(corpus.tokens == vocabulary.unk_id)),
            continuing_pieces=0 if corpus.continues is None else int(np.count_nonzero(corpus.continues)),
            one_sentence_documents=int(np.count_nonzero(np.diff(corpus.documents) == 1)),
        )

    @classmethod
    def of_instances(cls, features: dict[str, np.ndarray]) -> "Counts":
        """Counts of a batch of features, as `PlanReader` makes them."""
        return cls(
            instances=len(features["input_ids"]),
            random_next=int(features["next_sentence_labels"].sum()),
            pieces=int(features["input_mask"].sum()),
            masked_pieces=int(features["masked_lm_weights"].sum()),
        )

    @classmethod
    def of_plans(cls, plans: np.ndarray) -> "Counts":
        """Counts of a batch of plans, the same as of their features."""
        lengths = plans[:, [A_STOP, B_STOP]] - plans[:, [A_START, B_START]]
        return cls(
            instances=len(plans),
            random_next=int(plans[:, IS_RANDOM_NEXT].sum()),
            pieces=int(lengths.sum()) + 3 * len(plans),  # [CLS] and both [SEP]
            masked_pieces=int(np.count_nonzero(plans[:, MASKED:] != NOTHING)),
        )

    def log(self) -> None:
        """Prints the corpus report."""
        one_sentence = _share(self.one_sentence_documents, self.documents)
        logger.info("*** Corpus report ***")
        logger.info("  documents             %d", self.documents)
        logger.info(
            "    seen before         %d (%s)",
            self.duplicate_documents,
            _share(self.duplicate_documents, self.documents),
        )
        logger.info("    of one sentence     %d (%s)", self.one_sentence_documents, one_sentence)
        logger.info("  sentences             %d", self.sentences)
        logger.info("  tokens                %d", self.tokens)
        logger.info("    [UNK]               %d (%s)", self.unknown_tokens, _share(self.unknown_tokens, self.tokens))
        logger.info("  instances             %d", self.instances)
        logger.info("    random next         %d (%s)", self.random_next, _share(self.random_next, self.instances))
        logger.info("    masked pieces       %d (%s)", self.masked_pieces, _share(self.masked_pieces, self.pieces))

    def warn(self, whole_words: bool) -> None:
        """Logs what makes the records less useful than they look."""
        if self.documents == 1:
            logger.warning("WARNING: there is one document only, so a random next sentence comes from it too")
        if self.unknown_tokens * 10 > self.tokens:
            share = _share(self.unknown_tokens, self.tokens)
            logger.warning("WARNING: %s of the tokens are [UNK]; does the vocabulary fit this text?", share)
        if whole_words and not self.continuing_pieces:
            logger.warning(
                "WARNING: `do_whole_word_mask` found no word of several pieces, so it changes nothing; "
                "for Chinese text `segmenter`=jieba or `segmenter`=spaces finds the words"
            )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "-"


class Progress:
    """How much is done, MB/s, instances/s and time left: `reporting.Progress`, fed twice a second.

    Args:
      title: the name of the work.
      total: the amount of work in `unit`; None if it is not known.
      unit: "MB", with amounts in bytes, or the name of the things counted.
    """

    def __init__(self, title: str, total: int | None, unit: str = "MB") -> None:
        self._scale = 1_000_000 if unit == "MB" else 1
        self._progress = reporting.Progress(title, total and max(1, round(total / self._scale)), unit=unit)
        self._unit, self._total = unit, total
        self._done = self._reported = self._instances = 0
        self._start = self._last = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.close()

    def advance(self, amount: int, instances: int = 0) -> None:
        """So much more is done, and so many instances were made with it."""
        self._done += amount
        self._instances += instances
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_UPDATES:
            self._report()

    def _report(self) -> None:
        self._last = time.monotonic()
        seconds = self._last - self._start
        whole = self._done // self._scale
        values = {f"{self._unit}/s": round(self._done / self._scale / seconds, 1)}
        if self._instances:
            values["instances/s"] = round(self._instances / seconds)
        self._progress.advance(whole - self._reported, values)
        self._reported = whole


def log_example(values: Mapping[str, Sequence], vocabulary: Vocabulary) -> None:
    """Shows an instance, the features of one record, as a reader would want to see it."""
    tokens = [vocabulary.tokens[index] for index in values["input_ids"][: sum(values["input_mask"])]]
    hidden = zip(values["masked_lm_positions"], values["masked_lm_ids"], strict=True)
    labels = [f"{position}:{vocabulary.tokens[index]}" for position, index in hidden if position]  # padding is at 0
    logger.info("*** Example ***")
    logger.info("tokens: %s", " ".join(tokens))
    logger.info("masked pieces: %s", " ".join(labels))
    logger.info("next sentence: %s", "random (1)" if values["next_sentence_labels"][0] else "actual (0)")


def total_bytes(paths: Sequence[str], sizes: Sequence[int]) -> int | None:
    """Bytes of text in the files; None if a compressed one hides it."""
    return None if any(os.path.splitext(path)[1] == ".gz" for path in paths) else sum(sizes)
