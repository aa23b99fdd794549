"""Masks drawn anew in every epoch: the rules and shares of the records' own, no mask seen twice, the same after a
resume."""

import json
import random

import numpy as np
import pytest
import tensorflow as tf

from bert import records, sidecar
from bert.dynamic_masking import DynamicMasking, Rules, unmasked
from bert.input_pipeline import RecordSet, training_batches
from bert.masking import wanted_count
from bert.random_numbers import draws
from bert.tokenization import Vocabulary
from tests import commands, numpy_bert

S, P = 32, 5
SIZES = {"max_seq_length": S, "max_predictions_per_seq": P}
TEXT = commands.TESTS / "golden" / "sample_text.txt"


def make(path, **flags) -> str:
    common = {"input_file": TEXT, "vocab_file": commands.VOCABULARY, "dupe_factor": 1, **SIZES}
    outcome = commands.run("create_pretraining_data", output_file=path, **{**common, **flags})
    assert outcome.status == 0, outcome.stderr
    return str(path)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return make(tmp_path_factory.mktemp("plain") / "records.tfrecord")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "records.tfrecord"
    return make(path, do_whole_word_mask=True, write_word_starts=True)


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary.from_file(str(commands.VOCABULARY))


def batch_of(path: str, repeated: int = 1) -> dict[str, tf.Tensor]:
    """All records of a file as one batch, each so many times, as different records."""
    rows = commands.read_records(path) * repeated
    dtypes = {"masked_lm_weights": tf.float32}
    batch = {name: tf.constant([row[name] for row in rows], dtypes.get(name, tf.int32)) for name in rows[0]}
    return {**batch, "record": tf.range(len(rows), dtype=tf.int64)}


def masked(path: str, batch: dict, epoch: int = 0, seed: int = 1, **changes) -> dict[str, np.ndarray]:
    """What dynamic masking makes of a batch."""
    rules = Rules.of_records([path])
    rules = Rules(**{**vars(rules), **changes})
    room = batch["masked_lm_positions"].shape[1]
    result = DynamicMasking(rules, seed, S, room)(batch, tf.fill([len(batch["record"])], tf.cast(epoch, tf.int64)))
    return {name: value.numpy() for name, value in result.items()}


def hidden_positions(row: dict) -> list[int]:
    return [p for p, w in zip(row["masked_lm_positions"], row["masked_lm_weights"], strict=True) if w > 0]


def rows_of(batch: dict) -> list[dict]:
    return [{name: value[index] for name, value in batch.items()} for index in range(len(batch["input_ids"]))]


def test_the_generator_is_splitmix64():
    """The first numbers from the state 1234567, as they are published; the lowest bit is dropped."""
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    found = draws(tf.constant([1234567], tf.uint64), 1, 4).numpy().tolist()
    assert found == [[[number >> 1 for number in expected]]]


def test_unmasking_is_exact(plain, vocabulary):
    """What stood in the rows before: records with one hidden piece each, made of the same text, differ nowhere else."""
    rows = commands.read_records(plain)
    found = unmasked(batch_of(plain)).numpy()
    for row, ids in zip(rows, found.tolist(), strict=True):
        hidden = dict(zip(row["masked_lm_positions"], row["masked_lm_ids"], strict=True))
        hidden.pop(0, None)  # padding
        assert ids == [hidden.get(place, shown) for place, shown in enumerate(row["input_ids"])]
        assert vocabulary.mask_id not in ids
        assert ids[0] == vocabulary.cls_id


@pytest.mark.parametrize("kind", ["plain", "words"])
def test_rules(kind, request):
    """As many as asked for, never [CLS], [SEP] or padding, in ascending order, and the labels are what stood there."""
    path = request.getfixturevalue(kind)
    rules = Rules.of_records([path])
    batch = batch_of(path)
    original = unmasked(batch).numpy()
    for epoch in range(20):
        result = masked(path, batch, epoch)
        assert set(result) == {*batch} - {"word_starts"}
        for before, row in zip(original, rows_of(result), strict=True):
            hidden = hidden_positions(row)
            wanted = wanted_count(int(row["input_mask"].sum()), rules.masked_lm_prob, P)
            assert len(hidden) <= wanted
            assert len(hidden) == wanted or kind == "words"
            assert sorted(set(hidden)) == hidden
            assert not {rules.cls_id, rules.sep_id} & set(before[hidden].tolist())
            assert row["input_mask"][hidden].all()
            count = len(hidden)
            assert row["masked_lm_ids"][:count].tolist() == before[hidden].tolist()
            for name in ("masked_lm_positions", "masked_lm_ids", "masked_lm_weights"):
                assert not row[name][count:].any()
            others = np.delete(np.arange(S), hidden)
            assert (row["input_ids"][others] == before[others]).all()


def words_of(starts: np.ndarray, is_piece: np.ndarray) -> list[list[int]]:
    found: list[list[int]] = []
    for place in np.flatnonzero(is_piece).tolist():
        if starts[place] or not found:
            found.append([])
        found[-1].append(place)
    return found


def test_words_are_hidden_whole(words):
    batch = batch_of(words)
    rules, original = Rules.of_records([words]), unmasked(batch).numpy()
    split = 0
    for epoch in range(20):
        for starts, before, row in zip(
            batch["word_starts"].numpy(), original, rows_of(masked(words, batch, epoch)), strict=True
        ):
            is_piece = (row["input_mask"] == 1) & ~np.isin(before, [rules.cls_id, rules.sep_id])
            hidden = set(hidden_positions(row))
            found = words_of(starts, is_piece)
            split += sum(len(word) > 1 and word[0] in hidden for word in found)
            assert all(set(word) <= hidden or not set(word) & hidden for word in found)
            # One that still fitted would not have been passed over.
            room = wanted_count(int(row["input_mask"].sum()), rules.masked_lm_prob, P) - len(hidden)
            assert not any(len(word) <= room for word in found if word[0] not in hidden)
    assert split > 100


def test_records_say_where_words_begin(words, vocabulary):
    for row in commands.read_records(words):
        special = (vocabulary.cls_id, vocabulary.sep_id)
        ids = unmasked({name: tf.constant([value]) for name, value in row.items()}).numpy()[0]
        expected = [
            int(index not in special and (place == 1 or not vocabulary.tokens[index].startswith("##")))
            for place, index in enumerate(ids)
        ]
        count = sum(row["input_mask"])
        assert row["word_starts"] == expected[:count] + [0] * (S - count)


@pytest.mark.parametrize("streaming", [False, True])
def test_word_starts_change_nothing_else(tmp_path, streaming):
    """The records are the same to the byte but for the feature; every way of making them writes it."""
    flags = {"do_whole_word_mask": True, "segmenter": "spaces", "input_file": TEXT.with_name("sample_text_zh.txt")}
    flags |= {"num_workers": 1} if streaming else {}
    with_words = make(tmp_path / "words.tfrecord", write_word_starts=True, **flags)
    without = make(tmp_path / "plain.tfrecord", **flags)
    if streaming:
        with_words, without = (f"{path.removesuffix('.tfrecord')}-00000.tfrecord" for path in (with_words, without))
    found = commands.read_records(with_words)
    assert all(row.pop("word_starts")[1] == 1 for row in found)
    assert found == commands.read_records(without)


def test_shares(plain, vocabulary):
    """80% [MASK], 10% kept, 10% another word, any of the vocabulary; every position as often as any other."""
    batch = batch_of(plain, repeated=200)
    original = unmasked(batch).numpy()
    result = masked(plain, batch)
    rows, slots = np.nonzero(result["masked_lm_weights"])
    places = result["masked_lm_positions"][rows, slots]
    shown, before = result["input_ids"][rows, places], original[rows, places]
    count = len(places)
    assert count > 10_000
    deviation = 5 / np.sqrt(count)
    assert np.mean(shown == vocabulary.mask_id) == pytest.approx(0.8, abs=0.4 * deviation)
    assert np.mean(shown == before) == pytest.approx(0.1, abs=0.3 * deviation)
    others = shown[(shown != vocabulary.mask_id) & (shown != before)]
    assert np.mean(others < len(vocabulary) // 2) == pytest.approx(0.5, abs=2.5 / np.sqrt(len(others)))
    assert others.max() < len(vocabulary)
    long = result["input_mask"].sum(axis=1) == S
    hidden = np.zeros_like(original)
    hidden[rows, places] = 1
    is_piece = ~np.isin(original, [vocabulary.cls_id, vocabulary.sep_id])
    often = hidden[long].sum(axis=0) / is_piece[long].sum(axis=0).clip(1)
    share = often[1 : S - 1].mean()
    spread = np.sqrt(share * (1 - share) / is_piece[long].sum(axis=0).clip(1)[1 : S - 1])
    assert (abs(often[1 : S - 1] - share) < 5 * spread).all()


def test_masks_follow_from_seed_epoch_and_record(plain):
    batch = batch_of(plain)
    first, again = masked(plain, batch), masked(plain, batch)
    assert all((first[name] == again[name]).all() for name in first)
    order = random.Random(0).sample(range(len(batch["record"])), 20)
    shuffled = masked(plain, {name: tf.gather(value, order) for name, value in batch.items()})
    assert all((shuffled[name] == first[name][order]).all() for name in first)
    for other in (masked(plain, batch, epoch=1), masked(plain, batch, seed=2)):
        differ = (other["masked_lm_positions"] != first["masked_lm_positions"]).any(axis=1)
        assert differ.mean() > 0.9
        assert not (other["input_ids"] == first["input_ids"]).all()


def test_a_share_of_one_hides_all_and_of_zero_one(plain):
    batch = batch_of(plain)
    batch |= {name: tf.pad(batch[name], [[0, 0], [0, 40 - P]]) for name in batch if name.startswith("masked_lm")}
    everything, least = masked(plain, batch, masked_lm_prob=1.0), masked(plain, batch, masked_lm_prob=0.0)
    assert (everything["masked_lm_weights"].sum(axis=1) == everything["input_mask"].sum(axis=1) - 3).all()
    assert (least["masked_lm_weights"].sum(axis=1) == 1).all()


def test_training_batches_give_each_row_its_epoch(plain):
    """The windows run over the ends of the epochs, and a later start sees the same."""
    record_set = RecordSet(records.PRETRAINING, (plain,), {"S": S, "P": P})
    count = record_set.count

    def numbered(batch: dict, epochs: tf.Tensor) -> dict:
        return {**batch, "epoch": epochs}

    for grouping in (True, False):
        arguments = {"seed": 3, "length_grouping": grouping, "rewrite": numbered}
        batches = list(training_batches(record_set, count, 4, **arguments).take(96).as_numpy_iterator())
        seen = [(int(e), int(r)) for batch in batches for e, r in zip(batch["epoch"], batch["record"], strict=True)]
        assert len(set(seen)) == len(seen)  # a record once an epoch
        assert max(epoch for epoch, _ in seen) == (96 * 4 - 1) // count
        later = training_batches(record_set, count, 4, start_step=41, **arguments).take(5).as_numpy_iterator()
        for found, expected in zip(later, batches[41:46], strict=True):
            assert all((found[name] == expected[name]).all() for name in expected)


@pytest.fixture
def run(tmp_path):
    flags = {"bert_config_file": commands.write_config(tmp_path), "output_dir": tmp_path / "output", **SIZES}
    flags |= {"num_warmup_steps": 2, "train_batch_size": 8, "learning_rate": 0.01, "dynamic_masking": True}

    def start(*arguments: str, **changes):
        return commands.run("run_pretraining", *arguments, **{**flags, **changes})

    return start


@pytest.mark.parametrize("kind", [pytest.param("plain", marks=pytest.mark.slow), "words"])
def test_a_resumed_run_ends_with_the_same_bits(run, request, tmp_path, kind):
    path = request.getfixturevalue(kind)
    common = {"input_file": path, "learning_rate": 0.01, "num_warmup_steps": 100}
    outcome = run("--do_train", "--do_eval", num_train_steps=9, **common)
    assert outcome.status == 0, outcome.stderr
    assert "Hidden anew in every epoch: 0.15 of the pieces" + ", whole words" * (kind == "words") in outcome.stderr
    for steps in (5, 9):
        assert run("--do_train", num_train_steps=steps, output_dir=tmp_path / "parts", **common).status == 0
    whole, parts = (numpy_bert.read_variables(tmp_path / name / "model.ckpt-9") for name in ("output", "parts"))
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)
    # Evaluation is on the records' own masks.
    results = commands.results(tmp_path / "output")
    expected = numpy_bert.pretraining_evaluation(
        tmp_path / "output" / "model.ckpt-9", commands.read_records(path), 2, 8
    )
    assert {name: float(results[name]) for name in expected} == pytest.approx(expected, abs=1e-5)
    fixed = run("--do_train", num_train_steps=9, output_dir=tmp_path / "fixed", dynamic_masking=False, **common)
    assert fixed.status == 0
    other = numpy_bert.read_variables(tmp_path / "fixed" / "model.ckpt-9")
    assert not all(np.array_equal(whole[name], other[name]) for name in whole)


def test_more_than_one_copy_of_the_text_is_told(run, tmp_path):
    path = make(tmp_path / "twice.tfrecord", dupe_factor=2)
    outcome = run("--do_train", input_file=path, num_train_steps=1)
    assert outcome.status == 0
    assert "The records hold each text 2 times. With --dynamic_masking once is enough" in outcome.stderr


def test_records_that_do_not_say_how_to_mask_are_refused(run, tmp_path):
    path = make(tmp_path / "words.tfrecord", do_whole_word_mask=True)
    error = run("--do_train", input_file=path, num_train_steps=1).error
    assert error.startswith(
        f"--dynamic_masking: {path} was made with `do_whole_word_mask` and does not say where words"
    )
    side_car = tmp_path / "words.tfrecord.json"
    values = json.loads(side_car.read_text())
    for change, message in (
        ({"do_whole_word_mask": 3}, "'masking.do_whole_word_mask' is 3, expected true or false"),
        ({"mask_id": 10_000}, "'masking' holds the ids"),
        ({"masked_lm_prob": 1.5}, "'masked_lm_prob' is 1.5, expected 0 to 1"),
        ({"repeated_ids": list(range(473))}, "'repeated_ids' leaves no word"),
    ):
        masking = {**values["masking"], "write_word_starts": True, **change}
        side_car.write_text(json.dumps({**values, "masking": masking}))
        assert message in run("--do_train", input_file=path, num_train_steps=1).error
    side_car.write_text(json.dumps({**values, "masking": {**values["masking"], "write_word_starts": True}}))
    assert "has no feature 'word_starts'" in run("--do_train", input_file=path, num_train_steps=1).error
    side_car.write_text(json.dumps({name: value for name, value in values.items() if name != "masking"}))
    assert "has no 'masking', expected one made by this version" in run("--do_train", input_file=path).error
    side_car.unlink()
    assert "has no side-car" in run("--do_train", input_file=path).error
    # An evaluation hides nothing anew, so it needs none.
    assert run("--do_eval", input_file=path).error.startswith("nothing to evaluate: no checkpoint")


def test_word_starts_need_whole_words(tmp_path):
    outcome = commands.run(
        "create_pretraining_data",
        input_file=TEXT,
        vocab_file=commands.VOCABULARY,
        output_file=tmp_path / "a",
        write_word_starts=True,
    )
    assert outcome.error == "--write_word_starts is of use with --do_whole_word_mask only, which is False"


def test_a_token_that_stands_twice_in_the_vocabulary_is_drawn_once(tmp_path):
    vocabulary = tmp_path / "vocab.txt"
    lines = commands.VOCABULARY.read_text().splitlines()
    vocabulary.write_text("\n".join([*lines, lines[300]]) + "\n")
    path = make(tmp_path / "records.tfrecord", vocab_file=vocabulary)
    assert sidecar.read(path)["masking"]["repeated_ids"] == [300]
    ids = list(Rules.of_records([path]).replacement_ids)
    assert ids == [index for index in range(len(lines) + 1) if index != 300]
