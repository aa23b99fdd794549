"""bert.load on encoders and pre-trained models: vectors, the words of a [MASK], whether a text follows."""

import json
import shutil

import numpy as np
import pytest
from scipy import special

import bert
from bert.errors import InputError
from bert.prediction import masks
from tests import commands, numpy_bert, trained

CLS, SEP = 9, 10  # in vocab_small.txt
TEXTS = ["the company said", *trained.texts(20), ("the company", "said no")]


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    return trained.pretrained(tmp_path_factory.mktemp("pretraining"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory, pretrained):
    """The encoder of the pre-trained model alone, as a folder of sentence-transformers."""
    folder = tmp_path_factory.mktemp("encoder") / "model"
    flags = {"model_dir": pretrained, "vocab_file": commands.VOCABULARY, "output_dir": folder}
    outcome = commands.run("bert.commands.convert", to="sentence-transformers", **flags)
    assert outcome.status == 0, outcome.stderr
    return folder


def variables(pretrained) -> numpy_bert.Bert:
    return numpy_bert.Bert(numpy_bert.read_variables(str(pretrained / "model.ckpt-1")), heads=2)


def batch_of(*parts) -> dict[str, np.ndarray]:
    """A batch of one row: [CLS] and what is given, a [SEP] behind each part."""
    ids = np.array([[CLS, *(piece for part in parts for piece in (*part, SEP))]])
    segments = [[0, *(number for number, part in enumerate(parts) for _ in (*part, SEP))]]
    return {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.array(segments)}


def masked_lm(bert: numpy_bert.Bert, hidden: np.ndarray) -> np.ndarray:
    hidden = numpy_bert.gelu(bert.dense(hidden, "cls/predictions/transform/dense"))
    hidden = bert.normalize(hidden, "cls/predictions/transform/LayerNorm")
    return hidden @ bert.v["bert/embeddings/word_embeddings"].T + bert.v["cls/predictions/output_bias"]


def next_sentence(bert: numpy_bert.Bert, pooled: np.ndarray) -> np.ndarray:
    return pooled @ bert.v["cls/seq_relationship/output_weights"].T + bert.v["cls/seq_relationship/output_bias"]


def test_vectors_are_means_of_plain_numpy(encoder, pretrained):
    model = bert.load(str(encoder))
    assert (model.kind, model.max_seq_length) == ("encoder", 32)
    texts = TEXTS[:-1]
    vectors = model.encode(texts)
    assert (vectors.shape, vectors.dtype) == ((len(texts), 32), np.float32)
    reference = variables(pretrained)
    for text, vector in zip(texts, vectors, strict=True):
        sequence, _ = reference.encode(batch_of(model.tokenizer.encode([text])[0][:30]))
        np.testing.assert_allclose(vector, sequence[0].mean(axis=0), rtol=0, atol=2e-5)
    one = model.predict(texts[0])
    assert one.as_dict() == {"vector": one.vector.tolist(), "truncated": 0}
    np.testing.assert_allclose(one.vector, vectors[0], rtol=0, atol=1e-6)


def test_other_poolings_and_layers(encoder, pretrained):
    found = {
        (pooling, layer): bert.load(str(encoder), pooling=pooling, layer=layer, max_seq_length=32).encode(TEXTS)
        for pooling, layer in (("mean", -1), ("mean", 2), ("mean", -2), ("mean", 1), ("cls", -1), ("max", -1))
    }
    assert np.array_equal(found["mean", -1], found["mean", 2])
    assert np.array_equal(found["mean", -2], found["mean", 1])
    assert not np.allclose(found["mean", -2], found["mean", -1])
    assert (found["max", -1] >= found["mean", -1]).all()
    pieces, _ = bert.load(str(encoder)).tokenizer.encode(TEXTS[:1])
    sequence, _ = variables(pretrained).encode(batch_of(pieces))
    np.testing.assert_allclose(found["cls", -1][0], sequence[0, 0], rtol=0, atol=2e-5)
    np.testing.assert_allclose(found["max", -1][0], sequence[0].max(axis=0), rtol=0, atol=2e-5)


def test_the_pooling_of_a_folder_is_kept(encoder, tmp_path):
    """As sentence-transformers names it; a way that nobody here computes is refused."""
    folder = tmp_path / "model"
    shutil.copytree(encoder, folder)
    path = folder / "1_Pooling" / "config.json"
    path.write_text(path.read_text().replace("true", "false").replace('max_tokens": false', 'max_tokens": true'))
    expected = bert.load(str(encoder), pooling="max").encode(TEXTS)
    np.testing.assert_array_equal(bert.load(str(folder)).encode(TEXTS), expected)
    path.write_text(path.read_text().replace("max_tokens", "weightedmean_tokens"))
    with pytest.raises(InputError, match="asks for pooling_mode_weightedmean_tokens, expected one of"):
        bert.load(str(folder))


def test_vectors_of_a_folder_with_heads(encoder, pretrained):
    model = bert.load(str(pretrained), vocab_file=str(commands.VOCABULARY), vectors=True)
    np.testing.assert_allclose(model.encode(TEXTS), bert.load(str(encoder)).encode(TEXTS), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": 0}, "^`layer` is 0, expected -1 to -2 or 1 to 2$"),
        ({"layer": 3}, "^`layer` is 3"),
        ({"pooling": "sum"}, '^`pooling` is "sum", expected one of mean, max, cls$'),
        ({"n_best_size": 3}, "^`n_best_size` is no option of this kind of model, expected some of: pooling, layer$"),
    ],
)
def test_poolings_that_make_no_sense_are_refused(encoder, options, message):
    with pytest.raises(InputError, match=message):
        bert.load(str(encoder), **options)


@pytest.fixture(scope="module")
def filler(pretrained):
    return bert.load(str(pretrained), vocab_file=str(commands.VOCABULARY), n_best_size=4)


def test_masks_are_those_of_plain_numpy(filler, pretrained):
    texts = ["the [MASK] said no", "[MASK][MASK] after the bell [MASK]", ("the [MASK]", "said [MASK] no")]
    reference, tokens = variables(pretrained), filler.stored.vocabulary.tokens
    found = filler.predict(texts * 5)  # more masks than the head takes at once
    for text, one in zip(texts, found, strict=False):
        pieces, splits = masks.encode_with_masks([text] if isinstance(text, str) else list(text), filler.tokenizer)
        batch = batch_of(*np.split(pieces, splits[1:-1]))
        sequence, pooled = reference.encode(batch)
        is_mask = batch["input_ids"][0] == filler.tokenizer.vocabulary.mask_id
        probabilities = special.softmax(masked_lm(reference, sequence[0, is_mask]), axis=1)
        assert [[word.word for word in mask] for mask in one.masks] == [
            [tokens[index] for index in np.argsort(-row)[:4]] for row in probabilities
        ]
        scores = [[word.score for word in mask] for mask in one.masks]
        np.testing.assert_allclose(scores, -np.sort(-probabilities)[:, :4], rtol=0, atol=1e-5)
        follows = special.softmax(next_sentence(reference, pooled)[0])[0]
        assert one.next_sentence == (None if isinstance(text, str) else pytest.approx(follows, abs=1e-5))
    assert [len(one.masks) for one in found] == [1, 3, 2] * 5


def test_a_mask_that_is_cut_off_has_no_words(filler):
    found = filler.predict("[MASK] " + "the company " * 100 + "[MASK]")
    assert [len(words) for words in found.masks] == [4, 0]
    assert found.truncated > 0
    assert json.loads(json.dumps(found.as_dict()))["masks"][1] == []


def test_words_of_the_second_text_are_its_own_where_the_first_lost_a_mask(filler):
    found = filler.predict(("the " * 200 + "[MASK]", "the [MASK]"))
    assert found.truncated
    assert [len(mask) for mask in found.masks] == [0, 4]


def test_the_command_tells_five_words_for_each_mask(filler, pretrained, tmp_path):
    (tmp_path / "in.txt").write_text("the [MASK] said [MASK]\nthe [MASK]\tsaid no\n")
    flags = {"input_file": tmp_path / "in.txt", "output_file": tmp_path / "out.txt", "vocab_file": commands.VOCABULARY}
    outcome = commands.run("bert.commands.predict", model_dir=pretrained, **flags)
    assert outcome.status == 0, outcome.stderr
    rows = [line.split("\t") for line in (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()]
    expected = filler.predict(["the [MASK] said [MASK]", ("the [MASK]", "said no")])
    assert [len(row) for row in rows] == [2, 2]
    assert rows[1][1] == f"{expected[1].next_sentence:.4f}"
    cells = [*rows[0], rows[1][0]]
    for cell, words in zip(cells, [*expected[0].masks, *expected[1].masks], strict=True):
        told = cell.split(" ")
        assert len(told) == 5
        assert told[:4] == [f"{word.word}:{word.score:.4f}" for word in words]


def test_a_row_must_ask_something(filler):
    with pytest.raises(InputError, match=r"^rows\[1\]: no \[MASK\] in it, expected one or a pair$"):
        filler.predict(["the [MASK]", "the company", ("the", "company")])
    assert filler.predict(("the", "company")).masks == ()


def test_a_pretraining_folder_must_be_told_its_vocabulary(pretrained, tmp_path):
    with pytest.raises(InputError, match=r"^`vocab_file`: the vocabulary "):
        bert.load(str(pretrained))
    shutil.copytree(pretrained, tmp_path / "model")
    shutil.copy(commands.VOCABULARY, tmp_path / "model" / "vocab.txt")
    assert bert.load(str(tmp_path / "model")).predict("the [MASK]").masks
