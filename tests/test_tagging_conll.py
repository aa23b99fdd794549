"""CoNLL-style files: what is read, what is refused and with which line, and a file with one column more."""

import numpy as np
import pytest

from bert.errors import InputError
from bert.tasks import labels_file
from bert.tasks.tagging import conll
from bert.tasks.tagging.conll import Tagging

NEWS = """-DOCSTART- -X- O O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

Peter NNP B-NP B-PER
Blackburn NNP I-NP I-PER
"""


def written(folder, text: str | bytes, name: str = "test.txt") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_words_tags_sentences_and_lines(tmp_path):
    text = conll.read(written(tmp_path, NEWS))
    assert text.words == ["EU", "rejects", "Peter", "Blackburn"]
    assert text.tags == ["B-ORG", "O", "B-PER", "I-PER"]
    assert text.splits.tolist() == [0, 2, 4]
    assert text.line_numbers == [3, 4, 6, 7]
    assert text.where(2).endswith("test.txt:6")


def test_other_columns(tmp_path):
    text = conll.read(written(tmp_path, "1\tEU\tNNP\tORG\n2\trejects\tVBZ\tO\n"), token_column=2, tag_column=3)
    assert (text.words, text.tags) == (["EU", "rejects"], ["NNP", "VBZ"])
    text = conll.read(written(tmp_path, "B-ORG EU\nO rejects\n"), token_column=-1, tag_column=1)
    assert (text.words, text.tags) == (["EU", "rejects"], ["B-ORG", "O"])


@pytest.mark.parametrize(
    ("content", "words", "splits"),
    [
        ("a O\nb O", ["a", "b"], [0, 2]),  # no newline at the end
        ("\n\n \t\na O\n\n\n\nb O\n\n\n", ["a", "b"], [0, 1, 2]),  # more than one blank line, and not only empty ones
        ("a   O \n  b O\n", ["a", "b"], [0, 2]),  # runs of spaces, spaces at the ends
        ("a b\tO\n \tO\n", ["a b", " "], [0, 2]),  # between tabs a word may hold a space, or be one
        ("a O\r\n\r\nb O\r\n", ["a", "b"], [0, 1, 2]),
        ("\ufeffa O\nb O\n", ["a", "b"], [0, 2]),
        ("\u3000 O\n\x07 O\n\u00a0 O\n\x85 O\n", ["\u3000", "\x07", "\u00a0", "\x85"], [0, 4]),  # words all of them
        ("a O\n-DOCSTART- -X- O\nb O\n", ["a", "b"], [0, 1, 2]),  # ends a sentence too
    ],
)
def test_lines_as_people_write_them(tmp_path, content, words, splits):
    text = conll.read(written(tmp_path, content))
    assert (text.words, text.splits.tolist(), set(text.tags)) == (words, splits, {"O"})


@pytest.mark.parametrize(
    ("content", "column", "tags"),
    [("a\nb\n", -1, None), ("a x\nb y\n", -1, ["x", "y"]), ("a x\nb y\n", 0, None), ("a\nb\n", 0, None)],
)
def test_a_file_to_predict_needs_no_tags(tmp_path, content, column, tags):
    text = conll.read(written(tmp_path, content), tag_column=column, tags_required=False)
    assert (text.words, text.tags) == (["a", "b"], tags)


@pytest.mark.parametrize(
    ("content", "flags", "message"),
    [
        ("a O\nb\n", {}, ":2: 1 column(s), expected 2 as in line 1"),
        ("\na\tO\nb\tx\tO\n", {}, ":3: 3 column(s), expected 2 as in line 2"),
        ("\na\nb\n", {}, ":2: 1 column(s), expected a word and, in another column, its tag"),
        ("a O\n", {"tag_column": 1}, ":1: 2 column(s), expected a word and, in another column"),
        ("a O\n", {"token_column": 2}, ":1: 2 column(s), expected a word and, in another column"),
        ("a O\n", {"tag_column": -2}, ":1: 2 column(s), expected a word and, in another column"),
        ("a O\n", {"tag_column": 3}, ":1: 2 column(s), but `tag_column` is 3"),
        ("a O\n", {"token_column": 0}, ":1: 2 column(s), but `token_column` is 0"),
        ("a\tO\n\tO\n", {}, ":2: the column of `token_column`=1 is empty"),
        ("a\tO\nb\t \n", {}, ":2: the column of `tag_column`=-1 is empty"),
        ("", {}, ": holds no sentence"),
        ("\n-DOCSTART- O\n\n", {}, ": holds no sentence"),
        (b"a O\n\nb\xff O\n", {}, ":3: not UTF-8: byte 0xff"),
    ],
)
def test_refuses(tmp_path, content, flags, message):
    with pytest.raises(InputError) as caught:
        conll.read(written(tmp_path, content), **flags)
    assert str(caught.value).startswith(str(tmp_path / "test.txt") + message)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (NEWS, NEWS.replace("-X- O O\n", "-X- O O O\n").replace("ORG\n", "ORG x0\n").replace("VP O\n", "VP O x1\n")),
        ("a O\n\n\nb O", "a O x0\n\n\nb O x1\n"),
        ("a b\tO\n\t\nc\tO\t\n", "a b\tO\tx0\n\t\nc\tO\tx1\n"),
        ("a\n \nb \n", "a x0\n \nb x1\n"),
    ],
)
def test_one_column_more(tmp_path, content, expected):
    """Whatever else is in the file stays, blank lines too."""
    text = conll.read(written(tmp_path, content), tags_required=False)
    expected = expected.replace("B-PER\n", "B-PER x2\n").replace("I-PER\n", "I-PER x3\n")
    assert text.with_column([f"x{number}" for number in range(len(text.words))]) == expected
    assert len(expected.splitlines()) == len(content.splitlines())


def test_labels_are_those_of_the_training_file_and_stay_with_the_model(tmp_path):
    written(tmp_path, "a B-X\nb O\n\nc I-Y\n", "train.txt")
    task = Tagging()
    task.prepare(str(tmp_path), str(tmp_path), ["train"])
    assert (task.labels, task.scheme) == (("B-X", "I-Y", "O"), "bio")
    labels_file.write(str(tmp_path), task.labels_content())
    (tmp_path / "train.txt").unlink()
    written(tmp_path, "a\n")
    later = Tagging()
    later.prepare(str(tmp_path), str(tmp_path), ["test"])
    assert later.labels == task.labels
    assert np.array_equal(later.sentences(str(tmp_path), "test").splits, [0, 1])


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("O B-X I-X", "bio"),
        ("B I", "bio"),
        ("O I-X", "bio"),
        ("O B-X I-X E-X S-X", "bioes"),
        ("B E S", "bioes"),
        ("NN VB", "plain"),
        ("O B-X M-X", "plain"),
        ("O B-", "plain"),
        ("O BX", "plain"),
    ],
)
def test_the_scheme_follows_from_the_labels(tmp_path, tags, scheme):
    written(tmp_path, "".join(f"a {tag}\n" for tag in tags.split()), "train.txt")
    task = Tagging()
    task.prepare(str(tmp_path), str(tmp_path), ["train"])
    assert task.scheme == scheme


def test_a_tag_that_is_not_of_the_scheme(tmp_path):
    written(tmp_path, "a B-X\nb O\n\nc E-X\n", "train.txt")
    with pytest.raises(InputError, match=r"train\.txt:4: the tag 'E-X' is not one of `scheme`=bio, expected O, B-"):
        Tagging(scheme="bio").prepare(str(tmp_path), str(tmp_path), ["train"])
    Tagging(scheme="bioes").prepare(str(tmp_path), str(tmp_path), ["train"])
    plain = Tagging(scheme="plain")
    plain.prepare(str(tmp_path), str(tmp_path), ["train"])
    assert plain.scheme == "plain"


def test_an_unknown_tag(tmp_path):
    written(tmp_path, "a B-X\nb O\n", "train.txt")
    written(tmp_path, "a B-X\n\nb B-Y\n", "dev.txt")
    written(tmp_path, "a NN\n", "test.txt")
    task = Tagging()
    task.prepare(str(tmp_path), str(tmp_path), ["train", "dev", "test"])
    with pytest.raises(InputError, match=r"dev\.txt:3: unknown tag 'B-Y', expected one of B-X, O$"):
        task.sentences(str(tmp_path), "dev")
    with pytest.raises(InputError, match=r"test\.txt:1: unknown tag 'NN', .*; a test file without tags has one column"):
        task.sentences(str(tmp_path), "test")


def test_one_label_is_too_few(tmp_path):
    written(tmp_path, "a O\nb O\n", "train.txt")
    with pytest.raises(InputError, match=r"train\.txt: holds only the tag 'O', expected at least two"):
        Tagging().prepare(str(tmp_path), str(tmp_path), ["train"])
