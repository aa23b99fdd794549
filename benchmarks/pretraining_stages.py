"""What an instance takes in each stage of create_pretraining_data, for benchmarks/pretraining_data.py."""

import collections
import random
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from bert.pretraining_data.block_masks import BlockMasks
from bert.pretraining_data.block_pairs import draw_pairs
from bert.pretraining_data.blocks import INSTANCES_PER_BATCH
from bert.pretraining_data.corpus import Corpus
from bert.pretraining_data.instances import InstanceSampler
from bert.pretraining_data.options import Options
from bert.pretraining_data.plan_reader import PlanReader
from bert.pretraining_data.segmentation import SentenceEncoder
from bert.records import PRETRAINING
from bert.records.frames import frame
from bert.records.serialization import serialize
from bert.tokenization import Tokenizer, Vocabulary

_PASSES = 3

Result = TypeVar("Result")


class _Clock:
    """Adds up the processor seconds of what it calls, by name."""

    def __init__(self) -> None:
        self.seconds: collections.Counter[str] = collections.Counter()

    def __call__(self, stage: str, function: Callable[..., Result], *arguments: object) -> Result:
        start = time.process_time()
        result = function(*arguments)
        self.seconds[stage] += time.process_time() - start
        return result


def measure(text: str, options: Options) -> dict[str, float]:
    """Processor seconds an instance, by stage, of the best of three passes: those of the streaming mode, their sum, and
    the samplers of the exact mode; the compiled one where numba is installed."""
    vocabulary = Vocabulary.from_file(options.vocab_file)
    encoder = SentenceEncoder(Tokenizer(vocabulary, options.do_lower_case), options.do_whole_word_mask)
    streaming = min((_streaming(text, options, vocabulary, encoder) for _ in range(_PASSES)), key=_total)
    corpus = Corpus.build(text.split("\n"), encoder)
    return {**streaming, "streaming in all": _total(streaming), **_sampling(corpus, options, vocabulary)}


def _total(stages: dict[str, float]) -> float:
    return sum(stages.values())


def _streaming(text: str, options: Options, vocabulary: Vocabulary, encoder: SentenceEncoder) -> dict[str, float]:
    """The steps of `BlockMaker.features`, one by one."""
    clock, rng = _Clock(), np.random.default_rng(0)
    corpus = clock("tokenizing", Corpus.build, text.split("\n"), encoder)
    pairs = clock("drawing", draw_pairs, corpus, options, rng)
    masks = BlockMasks(vocabulary, options)
    reader = PlanReader(corpus.tokens, vocabulary.cls_id, vocabulary.sep_id, options.max_seq_length)
    for start in range(0, len(pairs), INSTANCES_PER_BATCH):
        batch = pairs[start : start + INSTANCES_PER_BATCH]
        masked = clock("drawing", masks.draw, batch, corpus.continues, rng)
        features = clock("laying out", reader.features, np.hstack([batch.astype(np.uint64), masked]))
        records = clock("writing as protobuf", serialize, PRETRAINING, features)
        clock("framing, with checksums", frame, records)
    return {stage: seconds / len(pairs) for stage, seconds in clock.seconds.items()}


def _sampling(corpus: Corpus, options: Options, vocabulary: Vocabulary) -> dict[str, float]:
    samplers: dict[str, Callable] = {"sampling of the exact mode": InstanceSampler}
    try:
        from bert.pretraining_data.compiled import CompiledSampler
    except ImportError:
        pass
    else:
        next(CompiledSampler(corpus, vocabulary, options, random.Random(0)).batches(1))  # compiles
        samplers["sampling of the exact mode, compiled"] = CompiledSampler
    found = {}
    for stage, sampler in samplers.items():
        passes = []
        for _ in range(_PASSES):
            drawing = sampler(corpus, vocabulary, options, random.Random(0))
            clock = _Clock()
            plans = clock(stage, list, drawing.batches(INSTANCES_PER_BATCH))
            passes.append(clock.seconds[stage] / sum(len(batch) for batch, _ in plans))
        found[stage] = min(passes)
    return found
