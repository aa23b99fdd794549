"""bert.load on trained classifiers: the numbers of --do_predict, rows of all forms, and what is refused."""

import csv
import shutil
import subprocess
import sys

import numpy as np
import pytest

import bert
from bert import checkpoint
from bert.errors import InputError
from bert.prediction import ClassPrediction, LabelsPrediction, NumberPrediction
from tests import commands, trained

TEXTS = trained.texts(40)
PAIRS = [
    (text, other if index % 2 else "") for index, (text, other) in enumerate(zip(TEXTS[:20], TEXTS[20:], strict=True))
]


def predictions(output) -> list[dict[str, str]]:
    with open(output / "predictions.tsv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def columns(output) -> np.ndarray:
    return np.loadtxt(output / "test_results.tsv", ndmin=2)


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    return trained.classifier(tmp_path_factory.mktemp("classes"), ["good", "bad", "so so"], PAIRS)


@pytest.fixture(scope="module")
def model(classes):
    return bert.load(str(classes))


def test_classes_are_those_of_do_predict(model, classes):
    found = model.predict(PAIRS)
    assert [type(one) for one in found] == [ClassPrediction] * len(PAIRS)
    assert [list(one.probabilities) for one in found] == [["bad", "good", "so so"]] * len(PAIRS)
    probabilities = np.array([list(one.probabilities.values()) for one in found])
    np.testing.assert_allclose(probabilities, columns(classes), rtol=0, atol=1e-6)
    assert np.ptp(probabilities, axis=0).max() > 0.1  # so the texts matter
    written = predictions(classes)
    assert [one.label for one in found] == [row["label"] for row in written]
    assert [one.score for one in found] == pytest.approx([float(row["score"]) for row in written], abs=1e-6)
    pieces = model.tokenizer.tokenize
    lengths = [len(pieces(a)) + len(pieces(b)) + 2 + bool(b) for a, b in PAIRS]
    assert [one.truncated for one in found] == [max(0, length - trained.LENGTH) for length in lengths]
    assert max(lengths) > trained.LENGTH


def test_several_classes_are_those_of_do_predict(tmp_path):
    output = trained.classifier(tmp_path, ["a", "a|b", "c|a", ""], PAIRS, label_kind="multilabel")
    found = bert.load(str(output)).predict(PAIRS)
    assert [type(one) for one in found] == [LabelsPrediction] * len(PAIRS)
    assert ["|".join(one.labels) for one in found] == [row["label"] for row in predictions(output)]
    assert len({one.labels for one in found}) > 1
    assert [one.score for one in found] == pytest.approx([float(row["score"]) for row in predictions(output)], abs=1e-6)
    probabilities = [list(one.probabilities.values()) for one in found]
    np.testing.assert_allclose(probabilities, columns(output), rtol=0, atol=1e-6)


def test_long_texts_are_read_as_in_training(tmp_path):
    output = trained.classifier(tmp_path, ["good", "bad"], PAIRS, long_text="windows", truncation="tail")
    model = bert.load(str(output))
    assert (model.options.long_text, model.options.truncation) == ("windows", "tail")
    found = model.predict(PAIRS)
    probabilities = [list(one.probabilities.values()) for one in found]
    np.testing.assert_allclose(probabilities, columns(output), rtol=0, atol=1e-6)
    assert [one.truncated for one, (_, other) in zip(found, PAIRS, strict=True) if not other] == [0] * 10
    cut = bert.load(str(output), long_text="truncate").predict(PAIRS)
    assert any(one.truncated for one in cut)
    assert [one.score for one in cut] != pytest.approx([one.score for one in found], abs=1e-3)


def test_numbers_are_those_of_do_predict(tmp_path):
    output = trained.classifier(tmp_path, ["0.5", "1", "4.25"], PAIRS)
    found = bert.load(str(output)).predict(PAIRS)
    assert [type(one) for one in found] == [NumberPrediction] * len(PAIRS)
    # Beside the weights of this head, of standard deviation 1, others are 50 times smaller.
    assert [one.number for one in found] == pytest.approx(columns(output)[:, 0].tolist(), abs=1e-5)
    assert found[0].as_dict() == {"number": found[0].number, "truncated": found[0].truncated}


def test_a_row_has_many_forms_and_one_row_gives_one_prediction(model):
    one = model.predict("the company")
    assert one == model.predict({"text": "the company"}) == model.predict(("the company", None))
    assert model.predict(["the company"]) == [one]
    assert [found.label for found in model.predict(text for text in ["the company"] * 2)] == [one.label] * 2
    assert model.predict([]) == []
    pair = model.predict(("the company", "said no"))
    assert pair != one
    both = model.predict([["the company", "said no"], {"text": "the company", "text_b": "said no"}])
    assert [found.score for found in both] == pytest.approx([pair.score] * 2, abs=1e-6)
    assert pair.as_dict() == {
        "label": pair.label,
        "score": max(pair.probabilities.values()),
        "probabilities": pair.probabilities,
        "truncated": 0,
    }


def test_rows_without_end_are_answered_in_their_order(model):
    model.rows_at_once = 7
    try:
        assert list(model.iterate(iter(PAIRS))) == pytest.approx(model.predict(PAIRS))
        with pytest.raises(InputError, match=r"^rows\[10\]: found 5, expected a text"):
            list(model.iterate(["the"] * 10 + [5]))
    finally:
        del model.rows_at_once


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (5, "the row: found 5, expected a text, a pair of texts, or {{...}}"),
        (b"the", "the row: found b'the' (bytes), expected a text, a pair of texts, or {{...}}"),
        (("a", "b", "c"), 'the row: found ["a", "b", "c"], expected a text, a pair of texts, or {{...}}'),
        ({"text_b": "a"}, 'the row: found {"text_b": "a"}, expected a text, a pair of texts, or {{...}}'),
        (["a", None], "rows[1]: found null, expected a text, a pair of texts, or {{...}}"),
        (["a", {"txt": "a"}], 'rows[1]: found the field "txt", expected a text, a pair of texts, or {{...}}'),
        ([("a", 5)], 'rows[0]: found ["a", 5], expected a text, a pair of texts, or {{...}}'),
    ],
)
def test_a_bad_row_is_named(model, rows, message):
    with pytest.raises(InputError) as caught:
        model.predict(rows)
    assert str(caught.value) == message.replace("{{...}}", '{"text": ..., "text_b": ...}')


def test_all_bad_rows_are_one_error(model):
    with pytest.raises(InputError) as caught:
        model.predict(["good", 1, 2, "good", 3, 4, 5])
    message = str(caught.value)
    assert [place in message for place in ("rows[1]", "rows[2]", "rows[4]", "rows[5]")] == [True, True, True, False]
    assert message.endswith("; and 2 more")


def test_a_length_of_ones_own_cuts_elsewhere(model, classes):
    text = "the company said no " * 5
    length = len(model.tokenizer.tokenize(text)) + 2
    short, long = (bert.load(str(classes), max_seq_length=length).predict(text) for length in (16, length))
    assert (short.truncated, long.truncated) == (length - 16, 0)
    assert short.probabilities != long.probabilities


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"max_seq_length": 129},
            r"^`max_seq_length` is 129, expected 3 to 128, the positions of the model of .*output$",
        ),
        ({"max_seq_length": 2}, "^`max_seq_length` is 2, expected 3 to 128"),
        ({"max_seq_length": "long"}, '^`max_seq_length` is "long", expected 3 to 128'),
        ({"doc_stride": 3}, "^`doc_stride` is no option of this kind of model, expected some of: truncation"),
        ({"label_separator": 3}, "^`label_separator` is 3, expected a text$"),
        ({"vocab_file": "nowhere.txt"}, "^`vocab_file`: the vocabulary nowhere.txt does not exist"),
    ],
)
def test_options_that_make_no_sense_are_refused(classes, options, message):
    with pytest.raises(InputError, match=message):
        bert.load(str(classes), **options)


def test_a_model_whose_weights_are_no_numbers_is_refused(classes, tmp_path):
    folder = shutil.copytree(classes.parent, tmp_path / "copy")
    prefix = checkpoint.CheckpointFolder(str(folder / "output")).latest()
    values = checkpoint.read_values(prefix, list(checkpoint.read_shapes(prefix)))
    values["bert/pooler/dense/bias"] = values["bert/pooler/dense/bias"] * np.nan
    checkpoint.write_variables(prefix, values)
    told = f"the model in {folder / 'output'} gives logits that are not finite: its training went astray"
    with pytest.raises(InputError, match=told):
        bert.load(str(folder / "output"))
    flags = {"vocab_file": commands.VOCABULARY, "bert_config_file": folder / "bert_config.json", "max_seq_length": 32}
    flags |= {"task_name": "table", "data_dir": folder, "output_dir": folder / "output"}
    assert commands.run("run_classifier", "--do_predict", **flags).error == told


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(InputError, match="`model_dir`"):
        bert.load(str(tmp_path / "nowhere"))


def test_importing_bert_does_not_import_tensorflow():
    code = "import sys, bert; print(bert.__version__, 'tensorflow' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[1:] == ["False", "False"]
