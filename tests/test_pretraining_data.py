"""The exact mode against the original's records, and the parts it is made of."""

import dataclasses
import gzip
import hashlib
import json
import pathlib
import random
import subprocess
import sys
from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bert import records, sidecar
from bert.errors import InputError
from bert.pretraining_data import exact
from bert.pretraining_data.background import record_maker
from bert.pretraining_data.corpus import Corpus, DuplicateCounter
from bert.pretraining_data.instances import InstanceSampler
from bert.pretraining_data.options import Options
from bert.pretraining_data.plan_reader import PlanReader
from bert.pretraining_data.plans import plan_width
from bert.pretraining_data.reading import read_sentences, split_sentences
from bert.pretraining_data.segmentation import SentenceEncoder, chinese_units
from bert.records import parsing
from bert.records.serialization import serialize
from bert.tokenization import Tokenizer, Vocabulary

ROOT = pathlib.Path(__file__).parent.parent
SMALL_CASES = ["small_slides", "small_wwm", "small_cased3", "small_both"]
LARGE_CASES = ["slides", "wwm", "cased3", "zh", "both"]


def differences(name, folder, tmp_path) -> tuple[int, int]:
    """Records compared in a case of the reference folder, and how many of them differ in a byte."""
    case = json.loads((folder / "pretraining" / "cases.json").read_text())[name]
    outputs, inputs = case.pop("outputs"), case.pop("input_file")
    # The original read what this glob matches in the order of the folder it was in; here it is spelled out.
    names = ["sample_text_zh.txt", "sample_text.txt"] if "*" in inputs else [inputs]
    options = Options(vocab_file=str(folder / case.pop("vocab")), **case)
    paths = [str(tmp_path / output) for output in outputs]
    exact.create([str(folder / name) for name in names], paths, options)
    compared = differ = 0
    for output, path in zip(outputs, paths, strict=True):
        lines = (folder / "pretraining" / f"{output}.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        expected = serialize(records.PRETRAINING, {name: np.array([row[name] for row in rows]) for name in rows[0]})
        found = list(records.read(path))
        assert sidecar.read(path)["records"] == len(found)
        compared += len(expected)
        differ += sum(a != b for a, b in zip(expected, found, strict=False)) + abs(len(expected) - len(found))
    return compared, differ


def check_case(name, folder, tmp_path):
    compared, differ = differences(name, folder, tmp_path)
    assert compared > 0
    assert differ == 0


@pytest.mark.parametrize("name", SMALL_CASES)
def test_records_are_the_originals(name, golden, tmp_path):
    check_case(name, golden, tmp_path)


@pytest.mark.parametrize("name", LARGE_CASES)
def test_records_are_the_originals_with_public_vocabularies(name, shared, tmp_path):
    check_case(name, shared / "golden", tmp_path)


@pytest.fixture(scope="module")
def vocabulary(golden):
    return Vocabulary.from_file(str(golden / "vocab_small.txt"))


@pytest.fixture(scope="module")
def tokenizer(vocabulary):
    return Tokenizer(vocabulary, do_lower_case=True)


def make_options(golden, **changes):
    return Options(vocab_file=str(golden / "vocab_small.txt"), **changes)


def naive_pairs(rng, documents, max_seq_length, short_seq_prob):
    """docs/parity.md 6.3 to 6.8 word by word for one repetition, masking left out: (A, B, is random next) a pair."""
    documents = list(documents)
    rng.shuffle(documents)
    room = max_seq_length - 3
    for index, document in enumerate(documents):
        target = rng.randint(2, room) if rng.random() < short_seq_prob else room
        chunk, place = [], 0
        while place < len(document):
            chunk.append(document[place])
            if place == len(document) - 1 or sum(map(len, chunk)) >= target:
                a_end = rng.randint(1, len(chunk) - 1) if len(chunk) >= 2 else 1
                a = [piece for sentence in chunk[:a_end] for piece in sentence]
                is_random_next = len(chunk) == 1 or rng.random() < 0.5
                if is_random_next:
                    for _ in range(10):
                        other = rng.randint(0, len(documents) - 1)
                        if other != index:
                            break
                    b = []
                    for sentence in documents[other][rng.randint(0, len(documents[other]) - 1) :]:
                        b.extend(sentence)
                        if len(b) >= target - len(a):
                            break
                    place -= len(chunk) - a_end
                else:
                    b = [piece for sentence in chunk[a_end:] for piece in sentence]
                while len(a) + len(b) > room:
                    longer = a if len(a) > len(b) else b
                    longer.pop(0 if rng.random() < 0.5 else -1)
                yield a, b, is_random_next
                chunk = []
            place += 1


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=12), min_size=1, max_size=6),
    max_seq_length=st.integers(5, 64),
    short_seq_prob=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_pairs_are_those_of_a_plain_model(vocabulary, sizes, max_seq_length, short_seq_prob, seed):
    options = Options(
        vocab_file="", max_seq_length=max_seq_length, short_seq_prob=short_seq_prob, max_predictions_per_seq=1
    )
    numbers = iter(range(10**6))
    documents = [[[next(numbers) for _ in range(size)] for size in document] for document in sizes]
    flat = [sentence for document in documents for sentence in document]
    corpus = Corpus(
        np.array([piece for sentence in flat for piece in sentence], np.int32),
        array("q", np.cumsum([0, *map(len, flat)])),
        array("q", np.cumsum([0, *map(len, documents)])),
        None,
    )
    rng, reference = random.Random(seed), random.Random(seed)
    sampler = InstanceSampler(corpus, vocabulary, options, rng)
    sampler._masks.sample = lambda count, continues: []  # masking has its own test
    plans = array("Q")
    for index in range(len(documents)):
        sampler.sample(index, plans)
    rows = np.array(plans).reshape(-1, plan_width(options)).tolist()
    found = [(corpus.tokens[a:b].tolist(), corpus.tokens[c:d].tolist(), bool(e)) for a, b, c, d, e, _ in rows]
    assert found == list(naive_pairs(reference, documents, max_seq_length, short_seq_prob))
    assert rng.getstate() == reference.getstate()


def test_records_are_made_without_tensorflow():
    program = "import sys, bert.pretraining_data.background; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_a_killed_record_maker_is_told(tmp_path):
    with record_maker(str(tmp_path / "out"), 1, 2, 8) as maker:
        maker._process.kill()
        with pytest.raises(InputError, match="was killed, perhaps for want of memory"):
            maker.end_plans(0)
    assert list(tmp_path.iterdir()) == []


def test_a_record_maker_without_memory_is_told(tmp_path):
    """As MemoryError, which the command line tells in one line; a petabyte has no address."""
    with record_maker(str(tmp_path / "out"), 1, 2, 1 << 50) as maker:
        maker.add_tokens(np.arange(9, dtype=np.int32))
        maker.end_tokens()
        with pytest.raises(MemoryError):  # noqa: PT012
            maker.add_plans(np.array([[0, 2, 4, 6, 1, 0xFFFFFFFF]], np.uint64))
            maker.end_plans(1)


def test_plans_become_sequences(vocabulary):
    tokens = np.arange(100, 130, dtype=np.int32)
    plans = np.array([[3, 5, 10, 13, 1, 3 << 32 | 0xFFFFFFFF, 1 << 32 | 77, 2**64 - 1]], np.uint64)
    features = PlanReader(tokens, vocabulary.cls_id, vocabulary.sep_id, 10).features(plans)
    cls, sep = vocabulary.cls_id, vocabulary.sep_id
    assert features["input_ids"].tolist() == [[cls, 103, 77, sep, 110, 111, 112, sep, 0, 0]]
    assert features["input_mask"].tolist() == [[1] * 8 + [0] * 2]
    assert features["segment_ids"].tolist() == [[0] * 4 + [1] * 4 + [0] * 2]
    assert features["masked_lm_positions"].tolist() == [[2, 5, 0]]
    assert features["masked_lm_ids"].tolist() == [[104, 111, 0]]
    assert features["masked_lm_weights"].tolist() == [[1, 1, 0]]
    assert features["next_sentence_labels"].tolist() == [[1]]


def build(tokenizer, lines):
    return Corpus.build(lines, SentenceEncoder(tokenizer))


def test_corpus_drops_what_is_empty(tokenizer):
    corpus = build(tokenizer, ["", "the ferry", "\u200b", "", "", "\u200b", "", "a bell", "the fog", ""])
    assert corpus.num_sentences == 3
    assert list(corpus.documents) == [0, 1, 3]
    assert corpus.tokens.dtype == np.int32
    assert len(corpus.tokens) == corpus.sentences[-1]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_byte_order_mark_carriage_returns_and_gzip_make_no_difference(golden, tmp_path):
    text = (golden / "sample_text.txt").read_bytes()
    (tmp_path / "plain.txt").write_bytes(text)
    (tmp_path / "windows.txt").write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    (tmp_path / "packed.txt.gz").write_bytes(gzip.compress(text))
    options, found = make_options(golden, dupe_factor=1), set()
    for name in ("plain.txt", "windows.txt", "packed.txt.gz"):
        exact.create([str(tmp_path / name)], [str(tmp_path / "out")], options)
        found.add(sha256(tmp_path / "out"))
    assert len(found) == 1


def test_a_file_end_ends_no_document(golden, tmp_path):
    for name, text in {"1": "a b\n", "2": "c d\n\n", "3": "e f\n"}.items():
        (tmp_path / name).write_text(text)
    paths = [str(tmp_path / name) for name in "123"]
    assert list(read_sentences(paths, make_options(golden))) == ["a b", "c d", "", "e f"]


def test_json_lines_hold_a_document_each(golden, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"body": "One. Two!"}\n\n{"body": "Three"}\n')
    options = make_options(golden, input_format="jsonl", text_field="body")
    assert list(read_sentences([str(path)], options)) == ["One.", "Two!", "", "Three", ""]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "a.jsonl:2: not JSON"),
        ('{"title": "x"}', "a.jsonl:2: expected an object with a string 'text', found title"),
        ('{"text": 3}', "a.jsonl:2: expected an object with a string 'text', found text"),
        ("[1]", "a.jsonl:2: expected an object with a string 'text', found list"),
    ],
)
def test_bad_json_lines_are_named(golden, tmp_path, line, message):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "fine"}}\n{line}\n')
    with pytest.raises(InputError, match=message):
        list(read_sentences([str(path)], make_options(golden, input_format="jsonl")))


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It rained. Nobody came! Why? (Because.) So.", ["It rained.", "Nobody came!", "Why?", "(Because.)", "So."]),
        (
            "Dr. J. Smith paid $3.50, i.e. too much. Then left.",
            ["Dr. J. Smith paid $3.50, i.e. too much.", "Then left."],
        ),
        ("“好吗？”他问。走吧！行；好…", ["“好吗？”", "他问。", "走吧！", "行；", "好…"]),
        ("one line\nanother\n\nthird", ["one line", "another", "third"]),
        ("Wait... what?! no", ["Wait...", "what?!", "no"]),
        ("  \n ", []),
    ],
)
def test_running_text_is_split_into_sentences(text, sentences):
    assert split_sentences(text) == sentences


def test_segmented_words_join_and_ids_stay(tokenizer):
    words = SentenceEncoder(tokenizer, whole_words=True, segmenter="spaces")
    ids, splits, continues = words.encode(["手机 号码 abc好的", "x 充值"])
    plain = tokenizer.encode(["手机号码 abc好的", "x 充值"])
    assert ids.tolist() == plain[0].tolist()
    assert splits.tolist() == plain[1].tolist()
    pieces = [tokenizer.vocabulary.tokens[index] for index in ids]
    first = len(pieces) - 3  # the second sentence
    assert continues[:4].tolist() == [0, 1, 0, 1]
    assert continues[first - 2 : first].tolist() == [0, 1]
    assert continues[first:].tolist() == [0, 0, 1]
    assert [flag for flag, piece in zip(continues, pieces, strict=True) if piece.startswith("##")] == [1] * sum(
        piece.startswith("##") for piece in pieces
    )


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="手机号码ab é\u0301\u00ad3.，  \u3000゙"), cuts=st.sets(st.integers(1, 40)))
def test_units_never_change_ids(tokenizer, text, cuts):
    def segment(sentence):
        ends = [*sorted(cut for cut in cuts if cut < len(sentence)), len(sentence)]
        return [sentence[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    units = [unit for unit, _ in chinese_units(text, segment)]
    assert "".join(units) == text
    assert tokenizer.encode(units)[0].tolist() == tokenizer.encode([text])[0].tolist()


def test_jieba_finds_words(tokenizer):
    pytest.importorskip("jieba")
    encoder = SentenceEncoder(tokenizer, whole_words=True, segmenter="jieba")
    ids, _, continues = encoder.encode(["请先打开设置页面"])
    assert len(ids) == 8
    assert continues.tolist() == [0, 0, 0, 1, 0, 1, 0, 1]  # 请 先 打开 设置 页面


def test_whole_word_masking_without_words_is_a_warning(golden, tmp_path, caplog):
    options = make_options(golden, do_whole_word_mask=True, dupe_factor=1, max_seq_length=32)
    path = tmp_path / "zh.txt"
    path.write_text("手 机\n号 码\n\n充 值\n好 的\n")
    exact.create([str(path)], [str(tmp_path / "out")], options)
    assert "found no word of several pieces" in caplog.text
    caplog.clear()
    path.write_text("手机\n号码\n\n充值\n好的\n")
    exact.create([str(path)], [str(tmp_path / "out")], dataclasses.replace(options, segmenter="spaces"))
    assert "found no word of several pieces" not in caplog.text


def test_duplicates_are_counted():
    counter = DuplicateCounter()
    lines = ["a", "b", "", "a", "", "a", "b", "", "", "ab", "", "a", "b"]
    assert list(counter.watch(lines)) == lines
    assert counter.count == 2


def test_report_counts_the_corpus(golden, tmp_path):
    text = "the ferry left\nthe fog\n\nthe bell\n\nthe bell\n\n℻ ℻\n"
    (tmp_path / "text").write_text(text)
    counts = exact.create([str(tmp_path / "text")], [str(tmp_path / "out")], make_options(golden, dupe_factor=2))
    assert (counts.documents, counts.sentences, counts.duplicate_documents) == (4, 5, 1)
    assert counts.one_sentence_documents == 3
    assert counts.unknown_tokens == 2
    features = [
        parsing.parse(records.PRETRAINING, [record], {"S": 128, "P": 20})
        for record in records.read(str(tmp_path / "out"))
    ]
    assert counts.instances == len(features)
    assert counts.pieces == sum(int(one["input_mask"].numpy().sum()) for one in features)
    assert counts.random_next == sum(int(one["next_sentence_labels"].numpy().sum()) for one in features)
    assert counts.masked_pieces == sum(int(one["masked_lm_weights"].numpy().sum()) for one in features)
    assert sidecar.read(str(tmp_path / "out"))["counts"] == vars(counts)


def test_side_car_is_compared(tmp_path):
    path = str(tmp_path / "a.tfrecord")
    sidecar.check([path], {"max_seq_length": 128})  # without one: nothing to compare
    sidecar.write(path, {"max_seq_length": 64})
    sidecar.check([path], {"max_seq_length": 64, "do_lower_case": True})
    with pytest.raises(InputError, match=r"a\.tfrecord: was made with max_seq_length 64 .* expected 128"):
        sidecar.check([path], {"max_seq_length": 128})
    assert sidecar.without_side_cars([path, f"{path}.json", "other.json"]) == [path, "other.json"]
