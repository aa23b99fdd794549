"""The loss against numpy, partners drawn anew, and what a batch of the input pipeline holds."""

import numpy as np
import pytest
import tensorflow as tf

from bert.config import BertConfig
from bert.heads import TwoTower
from bert.input_pipeline import RecordSet, training_batches
from bert.records.rows import write
from bert.retrieval.sampling import Partners, QuestionRows, hard_negatives
from bert.tokenization import Tokenizer, Vocabulary
from tests import commands

S = 12
QUESTIONS = ("the company", "the company said no", "company", "trade", "new trade group", "old", "after the bell")
GROUPS = np.array([0, 0, 0, 1, 1, 2, 3])
NEGATIVES = np.array([[3, 4], [3, 4], [3, 4], [0, 1], [0, 1], [6, 0], [5, 0]])


@pytest.fixture(scope="module")
def rows() -> QuestionRows:
    tokenizer = Tokenizer(Vocabulary.from_file(str(commands.VOCABULARY)), do_lower_case=True)
    return QuestionRows(QUESTIONS, GROUPS, tokenizer, S)


@pytest.fixture(scope="module")
def record_set(rows, tmp_path_factory) -> RecordSet:
    path = str(tmp_path_factory.mktemp("records") / "train.tf_record")
    write(path, rows)
    return RecordSet(rows.record_kind, (path,), {"S": S, "C": 4})


def batches(record_set: RecordSet, rows: QuestionRows, count: int, start: int = 0, negatives=None) -> list[dict]:
    partners = Partners(rows, negatives, seed=3)
    found = training_batches(record_set, len(rows), 3, seed=3, start_step=start, rewrite=partners)
    return list(found.take(count).as_numpy_iterator())


def question_of(rows: QuestionRows, ids: np.ndarray, mask: np.ndarray) -> int:
    """Which question the WordPieces are."""
    features = rows.features(0, len(rows))
    length = int(mask.sum())
    assert (ids[length:] == 0).all()
    (found,) = [
        row
        for row in range(len(rows))
        if features["input_mask"][row].sum() == length and (features["input_ids"][row, :length] == ids[:length]).all()
    ]
    return found


def test_every_question_is_an_anchor_once_an_epoch_with_partners_drawn_anew(record_set, rows):
    seen = {}
    for batch in batches(record_set, rows, 7 * 32):
        assert batch["input_ids"].shape[1] == batch["positive_input_ids"].shape[1]
        for record, label, ids, mask in zip(
            batch["record"],
            batch["label_ids"][:, 0],
            batch["positive_input_ids"],
            batch["positive_input_mask"],
            strict=True,
        ):
            partner = question_of(rows, ids, mask)
            assert label == GROUPS[record] == GROUPS[partner]
            seen.setdefault(int(record), []).append(partner)
    assert {len(partners) for partners in seen.values()} == {96}  # of 7 * 32 batches of 3
    for record, partners in seen.items():
        others = {row for row in range(len(rows)) if GROUPS[row] == GROUPS[record] and row != record}
        assert set(partners) == (others or {record})
        if len(others) > 1:
            shares = np.bincount(partners)[list(others)] / 96
            assert shares == pytest.approx(0.5, abs=0.2)


def test_partners_are_the_same_after_a_resume(record_set, rows):
    whole = batches(record_set, rows, 50, negatives=NEGATIVES)
    for later, expected in zip(batches(record_set, rows, 5, start=37, negatives=NEGATIVES), whole[37:42], strict=True):
        assert later.keys() == expected.keys()
        assert all((later[name] == expected[name]).all() for name in expected)
    for batch in whole:
        for number in range(2):
            name = f"negative_{number}_"
            found = [question_of(rows, *row) for row in zip(batch[f"{name}input_ids"], batch[f"{name}input_mask"])]  # noqa: B905
            assert found == NEGATIVES[batch["record"], number].tolist()
            assert (batch[f"{name}label_ids"][:, 0] == GROUPS[found]).all()


def test_hard_negatives_are_of_other_answers():
    nearest = [np.array(rows, int) for rows in ([1, 3, 2, 5, 4], [0, 2], [4, 0], [4], [3, 0, 6], [0], [])]
    found = hard_negatives(nearest, GROUPS, 2)
    assert found.tolist() == [[3, 5], [3, 4], [4, 4], [5, 6], [0, 6], [0, 0], [0, 1]]


@pytest.fixture(scope="module")
def model() -> TwoTower:
    config = BertConfig.from_dict({**commands.TINY, "hidden_dropout_prob": 0.2, "initializer_range": 0.5})
    return TwoTower(config, temperature=0.1, candidates=9)


@pytest.mark.parametrize("negatives", [None, NEGATIVES])
def test_the_loss_is_that_of_numpy(record_set, rows, model, negatives):
    batch = batches(record_set, rows, 1, negatives=negatives)[0]
    names = ("", "positive_", *(("negative_0_", "negative_1_") if negatives is not None else ()))
    vectors = {}
    for name in names:  # a side at a time, each as a row of its own
        hidden = model.encode(
            {
                "input_ids": batch[f"{name}input_ids"],
                "input_mask": batch[f"{name}input_mask"],
                "segment_ids": np.zeros_like(batch["input_ids"]),
            }
        )["sequence_output"].numpy()
        mask = batch[f"{name}input_mask"][:, :, np.newaxis]
        mean = (hidden * mask).sum(axis=1) / mask.sum(axis=1)
        vectors[name] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    own = batch["label_ids"][:, 0]
    labels = [own, own, *(batch[f"{name}label_ids"][:, 0] for name in names[2:])]
    losses = []
    for row in range(3):
        both = []
        wrong = [
            (side, other) for side in range(1, len(names)) for other in range(3) if labels[side][other] != own[row]
        ]
        scores = [vectors[""][row] @ vectors[names[side]][other] for side, other in wrong]
        both.append((vectors[""][row] @ vectors["positive_"][row], scores))
        both.append((both[0][0], [vectors["positive_"][row] @ vectors[""][k] for k in range(3) if own[k] != own[row]]))
        for right, others in both:
            exponents = np.exp(np.array([right, *others]) / 0.1)
            losses.append(-np.log(exponents[0] / exponents.sum()))
    tensors = {name: tf.constant(value) for name, value in batch.items()}
    outputs = model(tensors)
    np.testing.assert_allclose(outputs["vector"], vectors[""], atol=1e-5)
    assert float(model.loss_terms(tensors, outputs)["in_batch_cross_entropy"].value) == pytest.approx(
        np.mean(losses), abs=1e-4
    )


def test_a_question_alone_differs_from_itself_by_dropout_only(model, rows):
    features = rows.features(5, 6)
    batch = {name: tf.constant(value) for name, value in features.items()}
    batch |= {f"positive_{name}": batch[name] for name in ("input_ids", "input_mask")}
    seeded = model(batch, seed=tf.constant([1, 2]))
    assert np.abs(seeded["vector"] - seeded["positive_vector"]).max() > 0.01
    plain = model(batch)
    np.testing.assert_allclose(plain["vector"], plain["positive_vector"], atol=1e-6)


def test_an_evaluation_has_no_loss(model, rows):
    batch = {name: tf.constant(value) for name, value in rows.features(0, 3).items()}
    outputs = model(batch)
    assert set(outputs) == {"vector"}
    assert model.evaluation_terms(batch, outputs) == model.measures(batch, outputs) == {}
    assert model.declared_losses[0].guess == pytest.approx(np.log(9))
