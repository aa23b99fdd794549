"""An output folder is a model by itself: it answers where it is moved, without the files that it was trained with."""

import json
import pathlib
import shutil

import pytest

import bert
from bert.tokenization import Vocabulary
from tests import commands, trained

ROWS = ["the company said no", "new trade in the old group of her"]


def moved(output, target, *gone):
    """The folder at another place, and what it was made with no longer there."""
    shutil.move(output, target)
    for path in gone:
        path.unlink()
    return target


def test_a_trained_folder_answers_where_it_is_moved(tmp_path):
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_bytes(commands.VOCABULARY.read_bytes())
    output = trained.classifier(tmp_path, ["old", "new"], [("a", "")], vocab_file=vocabulary)
    expected = bert.load(str(output)).predict(ROWS)
    elsewhere = moved(output, tmp_path / "elsewhere", vocabulary, tmp_path / "bert_config.json")
    assert bert.load(str(elsewhere)).predict(ROWS) == expected
    (tmp_path / "ask.txt").write_text("".join(f"{row}\n" for row in ROWS))
    flags = {"model_dir": elsewhere, "input_file": tmp_path / "ask.txt", "output_file": tmp_path / "told.txt"}
    outcome = commands.run("bert.commands.predict", **flags)
    assert outcome.status == 0, outcome.stderr
    told = [line.split("\t") for line in (tmp_path / "told.txt").read_text().splitlines()]
    assert told == [[each.label, f"{each.score:.4f}"] for each in expected]
    # Those who add words, convert and export read it as the run that it is, not as a download.
    (tmp_path / "words").write_text("wordpiece\n")
    given = {"add_words": {"words_file": tmp_path / "words", "append": True}, "convert": {}}
    for command, flags in given.items():
        outcome = commands.run(
            f"bert.commands.{command}", model_dir=elsewhere, output_dir=tmp_path / f"by {command}", **flags
        )
        assert outcome.status == 0, outcome.stderr
        assert bert.load(str(tmp_path / f"by {command}")).predict(ROWS)[0].label == expected[0].label
    assert Vocabulary.from_file(str(tmp_path / "by add_words")).tokens[-1] == "wordpiece"
    # Another vocabulary in the folder is refused, and one that is given is taken in its place.
    (elsewhere / "vocab.txt").write_text(commands.VOCABULARY.read_text().replace("\nthe\n", "\nthee\n"))
    with pytest.raises(bert.errors.InputError, match=r"vocab.txt is not the vocabulary that the model of .* was"):
        bert.load(str(elsewhere))
    assert bert.load(str(elsewhere), vocab_file=str(commands.VOCABULARY)).predict(ROWS) == expected


def test_an_index_is_moved_with_its_encoder(tmp_path):
    """Nothing was trained; the model of another folder was placed there."""
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_bytes(commands.VOCABULARY.read_bytes())
    output = trained.retrieval(tmp_path, vocab_file=vocabulary)
    expected = bert.load(str(output)).predict(ROWS)
    elsewhere = moved(output, tmp_path / "elsewhere", vocabulary)
    shutil.rmtree(tmp_path / "start")
    assert bert.load(str(elsewhere)).predict(ROWS) == expected


def test_pretraining_leaves_its_config(tmp_path):
    """Of the vocabulary it knows the hash alone."""
    output = trained.pretrained(tmp_path)
    config = json.loads((tmp_path / "bert_config.json").read_text())
    assert json.loads((output / "bert_config.json").read_text()) == config
    assert not (output / "vocab.txt").exists()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("vocab.txt", ("\nthe\n", "\nthee\n"), "has another vocabulary than --vocab_file={vocabulary}"),
        ("bert_config.json", ('"hidden_dropout_prob": 0.0', '"hidden_dropout_prob": 0.5'), "has another model than"),
    ],
)
def test_files_of_another_model_are_not_replaced(tmp_path, name, change, message):
    """And those of the same one, as in a folder of a download that is trained on, stay as they are."""
    own = {"vocab.txt": commands.VOCABULARY.read_text()}
    own["bert_config.json"] = pathlib.Path(commands.write_config(tmp_path, **trained.SPREAD)).read_text()
    (output := tmp_path / "output").mkdir()
    for file, text in own.items():
        (output / file).write_text(text.replace(*change) if file == name else text)
    before = commands.listing(output)
    with pytest.raises(AssertionError) as refused:
        trained.classifier(tmp_path, ["old", "new"], [("a", "")])
    assert f"{output / name} {message.format(vocabulary=commands.VOCABULARY)}" in str(refused.value)
    assert commands.listing(output) == before
    (output / name).write_text(own[name])
    trained.classifier(tmp_path, ["old", "new"], [("a", "")])
    assert (output / name).read_text() == own[name]


def test_a_command_that_asks_does_not_change_the_model(tmp_path):
    """Its length is that of the training, whatever it is asked with; labels.json tells it where run.json is gone."""
    output = trained.classifier(tmp_path, ["old", "new"], [("a", "")])
    flags = {"task_name": "table", "data_dir": tmp_path, "vocab_file": commands.VOCABULARY, "output_dir": output}
    flags |= {"bert_config_file": tmp_path / "bert_config.json", "do_predict": True, "max_seq_length": 8}
    labels = (output / "labels.json").read_bytes()
    for do_train in (False, True):  # a run that has finished trains nothing
        outcome = commands.run("run_classifier", **flags, do_train=do_train, train_batch_size=24, num_train_epochs=1)
        assert outcome.status == 0, outcome.stderr
        assert "--max_seq_length was 32, now it is 8." in outcome.stderr
        assert bert.load(str(output)).max_seq_length == trained.LENGTH
        assert (output / "labels.json").read_bytes() == labels
    told = json.loads((output / "run.json").read_text())
    assert (told["settings"]["max_seq_length"], told["trained_with"]["max_seq_length"]) == (8, trained.LENGTH)
    # As an older version left it, and as it is published.
    del told["trained_with"]
    (output / "run.json").write_text(json.dumps({**told, "settings": {**told["settings"], "do_train": False}}))
    assert bert.load(str(output)).max_seq_length == trained.LENGTH
    (output / "run.json").unlink()
    assert bert.load(str(output)).max_seq_length == trained.LENGTH
