"""Fine-tuning on questions that share an answer: two towers, which are one encoder."""

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from bert import encoders
from bert.config import BertConfig
from bert.encoders.average import AverageEncoder
from bert.errors import InputError
from bert.finetuning.base import FineTuning
from bert.flags import FineTuningFlags
from bert.heads import HeadedModel, TwoTower
from bert.measures import Measure
from bert.options.retrieval import RetrievalOptions
from bert.retrieval import judging, knowledge, sampling, sources, splitting
from bert.retrieval.bm25 import Bm25
from bert.retrieval.knowledge import KnowledgeBase, Queries
from bert.retrieval.ranking import Search
from bert.retrieval.search import Exact, Retriever
from bert.tokenization import Tokenizer
from bert.training import run
from bert.training.model_files import ModelFiles
from bert.training.outputs import Outputs

logger = logging.getLogger(__name__)

_LOOKED_AT = 100  # answers among which hard negatives are looked for

Encode = Callable[[Sequence[str]], np.ndarray]  # texts -> their vectors of length 1, float32 [texts, H]


class Retrieval(FineTuning[judging.Report]):
    """Questions of a knowledge base; what is learned is judged by what the dev set's find in all of it.

    The records of the dev split are the knowledge base and then the questions that are asked, so that both go through
    the model of the moment. `encoder` loads what makes the vectors that hard negatives are looked for with, and gives
    None where BM25 does.
    """

    command = "run_retrieval"
    name = "retrieval"
    unit = "training questions"
    is_judged_at_the_end = False  # but on the index, when that is made

    def __init__(
        self,
        options: RetrievalOptions,
        encoder: Callable[[], Encode | None],
        settings: FineTuningFlags,
        config: BertConfig,
        tokenizer: Tokenizer,
    ) -> None:
        super().__init__(settings, config, tokenizer)
        self.options = options
        self.base, self.queries, asked = read(options, "dev" in settings.splits)
        self._asked = asked
        trained = splitting.trained(self.base, options)
        if options.single_questions == "leave_out":
            sizes = np.bincount(self.base.groups[trained], minlength=len(self.base.names))
            trained = trained[sizes[self.base.groups[trained]] > 1]
        self.trained = self.base.take(trained)
        if len(self.trained.names) < 2:
            raise InputError(
                f"{sources.place(options, 'train')}: {len(self.trained.names)} answers to train on, expected two at "
                f"least (`single_questions`={options.single_questions}, `dev_fraction`={options.dev_fraction})"
            )
        self._negatives = self._hard_negatives(encoder()) if settings.do_train and options.hard_negatives else None
        if settings.do_eval:
            judging.check_metric(settings.best_metric)
        self._rows = {
            "train": sampling.QuestionRows(
                self.trained.questions, self.trained.groups, tokenizer, settings.max_seq_length
            ),
            "dev": sampling.QuestionRows(
                [*self.base.questions, *(() if asked is not None else self._texts_asked)],
                None,
                tokenizer,
                settings.max_seq_length,
            ),
        }

    @property
    def _texts_asked(self) -> Sequence[str]:
        return self.queries.texts if self.queries else ()

    def texts(self) -> Iterator[str]:
        return iter(self.base.questions)

    def identity(self) -> dict[str, object]:
        return identity(self.options, self.trained if self.settings.do_train else None)

    def sizes(self) -> dict[str, int]:
        return {"C": max(len(self.trained.names), 1)}

    def build_model(self) -> HeadedModel:
        candidates = self.settings.train_batch_size * (1 + self.options.hard_negatives)
        return TwoTower(self.config, self.options.pooling, self.options.temperature, max(2, candidates))

    def rows(self, split: str) -> sampling.QuestionRows:
        return self._rows[split]

    def rewrite(self) -> sampling.Partners:
        return sampling.Partners(self._rows["train"], self._negatives, self.settings.seed)

    @property
    def measures(self) -> Sequence[Measure]:
        return judging.MEASURES

    def judge(self, split: str, outputs: Outputs) -> judging.Report | None:
        assert self.queries is not None
        vectors = np.stack(outputs["vector"])
        asked = vectors[len(self.base) :] if self._asked is None else vectors[self._asked]
        search = Search(self.base, Exact(vectors[: len(self.base)]))
        rankings = search.rankings(self.queries.texts, asked, leave_out_copies=True)
        return judging.judge(self.base, self.queries, rankings)

    def write_predictions(self, folder: str, outputs: Outputs) -> list[str]:
        raise NotImplementedError("questions are answered by the index, not by a run of training")

    def _hard_negatives(self, encode: Encode | None) -> np.ndarray:
        questions = self.trained.questions
        asked: Any = encode(questions) if encode else questions
        retriever: Retriever = Exact(asked) if encode else Bm25(questions)
        logger.info("Looking for %d hard negatives of %d questions.", self.options.hard_negatives, len(questions))
        rankings = Search(self.trained, retriever).rankings(questions, asked, _LOOKED_AT, leave_out_copies=True)
        nearest = [ranking.questions for ranking in rankings]
        return sampling.hard_negatives(nearest, self.trained.groups, self.options.hard_negatives)


def identity(options: RetrievalOptions, trained: KnowledgeBase | None) -> dict[str, object]:
    """What makes two runs different ones: how vectors are made, and for a training what is trained on."""
    own: dict[str, object] = {"pooling": options.pooling}
    if trained is None:
        return own
    names = ("temperature", "hard_negatives", "hard_negatives_from", "single_questions")
    learned = {name: getattr(options, name) for name in names}
    return {**own, **learned, "questions_sha256": trained.sha256}


def read(options: RetrievalOptions, needs_queries: bool) -> tuple[KnowledgeBase, Queries | None, np.ndarray | None]:
    """The knowledge base; the questions of the evaluation, and which of the knowledge base they are, if they are some.

    Raises InputError as `sources` does, and where the evaluation has no questions.
    """
    base = sources.base(options)
    for line in knowledge.described(base):
        logger.info(line)
    if not needs_queries:
        return base, None, None
    if options.dev_fraction:
        rows = splitting.held_out(base, options)
        return base, splitting.asked(base, rows), rows
    return base, sources.asked_of(base, options, "dev"), None


def place_model(options: RetrievalOptions, settings: FineTuningFlags) -> None:
    """Makes `output_dir` hold a model: the one that is there, or that of `init_checkpoint` as it is, untrained, or the
    `word_vectors` of an encoder that is nothing but their average."""
    strategy = run.open_devices(settings, settings.distribution)
    config = run.read_config(settings.bert_config_file, settings.max_seq_length)
    tokenizer = run.read_tokenizer(settings.vocab_file, settings.do_lower_case, config)
    read_as = {"vocab_sha256": tokenizer.vocabulary.sha256, "do_lower_case": settings.do_lower_case}
    whose = {"command": Retrieval.command, "config": config.to_dict(), **read_as, **identity(options, None)}
    beside = ModelFiles(config, tokenizer.vocabulary)
    build_model = functools.partial(TwoTower, config, options.pooling)
    start = None
    if settings.word_vectors and config.encoder == AverageEncoder.encoder:
        start = functools.partial(encoders.start, vocabulary=tokenizer.vocabulary, word_vectors=settings.word_vectors)
    with run.opened(settings, strategy, build_model, whose, None, start, beside) as trainer:
        trainer.save()
