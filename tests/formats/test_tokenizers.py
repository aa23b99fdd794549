"""The files of a Hugging Face tokenizer: read for vocabulary and casing, written so that they tokenize alike."""

import json

import pytest

from bert.errors import InputError
from bert.formats import tokenizers
from bert.tokenization import MAX_WORD_CHARACTERS, Tokenizer, Vocabulary
from tests import commands

TEXTS = [
    "The steam engine, and Mr. O'Neil's game!",
    "Unaffable naïve façade: 3,14 ± 2 (Ångström)",
    "火车 came in at 12:30",
    "tab\tnew\u00a0space\u200b and \x01 control",
    "x" * 150 + " " + "x" * 201,
    "",
]


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary.from_file(str(commands.VOCABULARY))


@pytest.mark.parametrize("do_lower_case", [True, False])
def test_the_package_tokenizers_tokenizes_alike(vocabulary, do_lower_case, tmp_path):
    package = pytest.importorskip("tokenizers")
    tokenizers.write(str(tmp_path), vocabulary.tokens, do_lower_case, 128, MAX_WORD_CHARACTERS)
    theirs = package.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ours = Tokenizer(vocabulary, do_lower_case)
    for text in TEXTS:
        assert theirs.encode(text, add_special_tokens=False).tokens == ours.tokenize(text)
    pair = theirs.encode("the engine", "old game")
    assert pair.tokens == ["[CLS]", *ours.tokenize("the engine"), "[SEP]", *ours.tokenize("old game"), "[SEP]"]
    assert pair.type_ids == [0] * (pair.tokens.index("[SEP]") + 1) + [1] * (len(ours.tokenize("old game")) + 1)


def test_the_vocabulary_of_a_folder(vocabulary, tmp_path):
    """vocab.txt where there is one, and otherwise what tokenizer.json holds."""
    tokenizers.write(str(tmp_path), vocabulary.tokens, True, 128, MAX_WORD_CHARACTERS)
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        assert Vocabulary.from_file(str(path)).tokens == vocabulary.tokens
    (tmp_path / "vocab.txt").write_text("[CLS]\n[SEP]\n[UNK]\n[MASK]\n")
    assert len(Vocabulary.from_file(str(tmp_path))) == 4


def test_a_tokenizer_that_is_no_wordpiece(vocabulary, tmp_path):
    tokenizers.write(str(tmp_path), vocabulary.tokens, True, 128, MAX_WORD_CHARACTERS)
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    removed = vocabulary.tokens[200]
    del content["model"]["vocab"][removed]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"tokenizer\.json: no token has the id 200"):
        Vocabulary.from_file(str(path))
    path.write_text(json.dumps({"model": {"type": "BPE", "vocab": {}}}))
    with pytest.raises(InputError, match="the model is no WordPiece"):
        Vocabulary.from_file(str(path))


@pytest.mark.parametrize(
    ("added", "ids", "problem"),
    [
        (True, {}, "'added_tokens' is true, expected a list"),
        ([{"content": "[CLS]"}], {}, r"has no 'added_tokens\[0\].id', expected a whole number"),
        (None, {"[CLS]": [2]}, r"the id of '\[CLS\]' is \[2\], expected a whole number"),
    ],
)
def test_values_of_wrong_types_in_a_tokenizer(added, ids, problem, tmp_path):
    model = {"type": "WordPiece", "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, **ids}}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"model": model, "added_tokens": added}))
    with pytest.raises(InputError, match=r"tokenizer\.json: " + problem):
        tokenizers.read_tokens(str(path))


def test_the_casing_of_a_folder(tmp_path, vocabulary, caplog):
    assert tokenizers.read_lower_case(str(tmp_path)) is None
    tokenizers.write(str(tmp_path), vocabulary.tokens, False, 128, MAX_WORD_CHARACTERS)
    assert tokenizers.read_lower_case(str(tmp_path)) is False
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    assert tokenizers.read_lower_case(str(tmp_path)) is False  # from tokenizer.json
    assert not caplog.messages
    settings = {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert tokenizers.read_lower_case(str(tmp_path)) is True
    assert ["strip_accents" in message for message in caplog.messages] == [True, False]
    assert "Chinese" in caplog.messages[1]


def test_a_command_of_the_other_casing_is_refused(tmp_path, vocabulary):
    tokenizers.write(str(tmp_path), vocabulary.tokens, False, 128, MAX_WORD_CHARACTERS)
    (tmp_path / "text.txt").write_text("a sentence\n")
    outcome = commands.run(
        "create_pretraining_data",
        input_file=tmp_path / "text.txt",
        output_file=tmp_path / "out.tfrecord",
        vocab_file=tmp_path,
    )
    assert outcome.error.startswith("--do_lower_case is True, but ")
    assert outcome.error.endswith("tokenizer_config.json says False; give --do_lower_case=False")


@pytest.mark.parametrize(
    ("tokens", "lower_cased"),
    [(["[CLS]", "<S>", "the", "##s", "火"], True), (["[CLS]", "the", "##S"], False), (["The"], False)],
)
def test_a_vocabulary_shows_its_casing(tokens, lower_cased):
    assert tokenizers.is_lower_cased(tokens) is lower_cased


def test_the_vocabularies_of_google_show_theirs(shared):
    for name, lower_cased in {"uncased": True, "cased": False, "chinese": True}.items():
        path = shared / "data" / "vocab" / f"bert-base-{name}-vocab.txt"
        assert tokenizers.is_lower_cased(Vocabulary.from_file(str(path)).tokens) is lower_cased
