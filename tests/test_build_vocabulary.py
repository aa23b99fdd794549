"""build_vocabulary as a user runs it: the layout, the size, no piece in vain, the same bytes, flat memory."""

import gzip
import json
import os
import random
import subprocess
import sys

import pytest

from bert.tokenization import Tokenizer, Vocabulary, WordSplitter
from bert.vocabulary import counting, layout
from bert.vocabulary.counting import WordCounter
from tests import commands, reference_tokenizer

ENGLISH = (commands.TESTS / "golden" / "sample_text.txt").read_text(encoding="utf-8")
CHINESE = "今天天气很好，我们去公园。\n我们去看今天的电影！\n公园的天气很好。\n"
AWKWARD = "Ünïcödé straße ΟΔΟΣ Ὀδός 𐐀𐐁 naïve-café can't U.S.\n"
AWKWARD += "\U0001f600\U0001f600 한국어 日本語です İstanbul\u200bx a\x01b e\u0301\n"


def build(folder, text: str, *arguments: str, **flags):
    (folder / "text.txt").write_text(text, encoding="utf-8")
    files = {"input_file": folder / "text.txt", "output_file": folder / "vocab.txt"}
    return commands.run("bert.commands.build_vocabulary", *arguments, **{**files, "vocab_size": 600, **flags})


def tokens_of(folder) -> list[str]:
    return (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]


def test_special_tokens_stand_where_google_has_them(tmp_path):
    outcome = build(tmp_path, ENGLISH)
    assert outcome.status == 0, outcome.stderr
    tokens = tokens_of(tmp_path)
    assert tokens[:3] == ["[PAD]", "[unused1]", "[unused2]"]
    assert tokens[99:104] == ["[unused99]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(tokens) == len(set(tokens)) == 600
    assert tokens[104:] != sorted(tokens[104:])
    assert "size = 600" in outcome.stderr
    assert not [path.name for path in tmp_path.iterdir() if path.name not in ("text.txt", "vocab.txt")]


@pytest.mark.parametrize("do_lower_case", [True, False])
def test_every_piece_can_be_one_of_googles_tokenizer(do_lower_case, tmp_path):
    """A piece that begins words is what a text of it alone becomes, one within words what follows a letter."""
    text = (ENGLISH + CHINESE + AWKWARD) * 3
    assert build(tmp_path, text, do_lower_case=do_lower_case, vocab_size=1200).status == 0
    tokens = tokens_of(tmp_path)
    ids = {token: index for index, token in enumerate(tokens)}
    pieces = [token for token in tokens[104:] if not layout.is_unused(token)]
    assert len(pieces) > 500
    for piece in pieces:
        if piece.startswith("##") and len(piece) > 2:
            inside = piece[2:]
            assert reference_tokenizer.basic_tokens(f"a{inside}", do_lower_case) == [f"a{inside}"], piece
        else:
            assert reference_tokenizer.tokens(piece, ids, do_lower_case) == [piece]


@pytest.mark.parametrize("do_lower_case", [True, False])
def test_both_tokenizers_agree_under_it(do_lower_case, tmp_path):
    text = (ENGLISH + CHINESE + AWKWARD) * 3
    assert build(tmp_path, text, do_lower_case=do_lower_case, vocab_size=1200).status == 0
    vocabulary = Vocabulary.from_file(str(tmp_path / "vocab.txt"))
    tokenizer = Tokenizer(vocabulary, do_lower_case)
    for line in text.splitlines():
        assert tokenizer.tokenize(line) == reference_tokenizer.tokens(line, vocabulary.ids, do_lower_case)


def test_frequent_words_and_characters_are_pieces(tmp_path):
    assert build(tmp_path, CHINESE + "the theatre of the theatre\n" * 3, vocab_size=160).status == 0
    tokens = tokens_of(tmp_path)
    assert {"the", "theatre", "of", "天", "。"} <= set(tokens)
    assert "影" not in tokens  # once in the text
    assert tokens[-1] == f"[unused{sum(map(layout.is_unused, tokens))}]"  # the rest of so short a text
    assert build(tmp_path, CHINESE, min_character_count=1).status == 0
    assert "影" in tokens_of(tmp_path)


def test_without_tokenizers_nothing_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("bert.vocabulary.building.count_words", lambda *_: pytest.fail("the corpus is read"))
    told = "(in a checkout: pip install '.[vocabulary]', or pip install -r requirements-vocabulary.txt)"
    assert build(tmp_path, ENGLISH).error == f"a new vocabulary needs tokenizers {told}"


def test_the_size_is_exact_or_refused(tmp_path):
    outcome = build(tmp_path, "".join(chr(0x4E00 + number) for number in range(300)), min_character_count=1)
    assert outcome.status == 0
    assert len(tokens_of(tmp_path)) == 600
    (tmp_path / "vocab.txt").unlink()
    outcome = build(tmp_path, CHINESE, vocab_size=110, min_character_count=1)
    assert outcome.error == (
        "--vocab_size is 110, but there are 104 special tokens, 17 characters that occur 1 times or more, and 0 of "
        "these inside words: expected at least 121, or a higher --min_character_count"
    )
    assert not (tmp_path / "vocab.txt").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"vocab_size": 104}, "--vocab_size is 104, expected 105 to 10000000"),
        ({"vocab_size": 20, "unused_slots": 20}, "--vocab_size is 20, expected 26 to 10000000"),
        ({"unused_slots": -1}, "--unused_slots is -1, expected 0 or more"),
        ({"held_out_every": 1}, "--held_out_every is 1, expected 0 for none, or 2 or more"),
        ({"min_character_count": 0}, "--min_character_count is 0, expected at least 1"),
        ({"counting_memory_mb": 0}, "--counting_memory_mb is 0.0, expected 0.001 to 1000000"),
        ({"input_file": "nowhere*.txt"}, "--input_file: no file matches 'nowhere*.txt'"),
        ({"output_file": "nowhere/vocab.txt"}, "--output_file: the folder nowhere of nowhere/vocab.txt does not exist"),
        ({"output_file": "a", "report_file": "./a"}, "--report_file and --output_file are both a, expected two files"),
    ],
)
def test_refuses(flags, message, tmp_path):
    assert build(tmp_path, CHINESE, **flags).error.startswith(message)


def test_a_text_without_words_is_refused(tmp_path):
    for text in ("", " \n\u200b\n"):
        assert build(tmp_path, text).error == f"--input_file: no words in {tmp_path / 'text.txt'}"
    assert build(tmp_path, "今天好\n").error == "--input_file: no character occurs --min_character_count=2 times"
    (tmp_path / "latin.txt").write_bytes("café\n".encode("latin-1"))
    told = build(tmp_path, "", input_file=tmp_path / "latin.txt").error
    assert told == f"{tmp_path / 'latin.txt'}:1: not UTF-8: byte 0xe9 at offset 3 of the line"
    assert not (tmp_path / "vocab.txt").exists()
    assert build(tmp_path, CHINESE, output_file=tmp_path / "text.txt").error.endswith("which would be overwritten")


def test_packed_files_json_lines_and_globs(tmp_path):
    lines = [json.dumps({"body": line}) + "\n" for line in ENGLISH.splitlines() if line]
    with gzip.open(tmp_path / "1.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(lines[:5])
    (tmp_path / "2.jsonl").write_text("".join(lines[5:]), encoding="utf-8")
    outcome = build(
        tmp_path, "", input_file=f"{tmp_path}/*.jsonl,{tmp_path}/*.gz", input_format="jsonl", text_field="body"
    )
    assert outcome.status == 0, outcome.stderr
    found = tokens_of(tmp_path)
    build(tmp_path, ENGLISH)
    assert found == tokens_of(tmp_path)
    (tmp_path / "2.jsonl").write_text('{"body": "x"}\n{"text": "x"}\n')
    outcome = build(tmp_path, "", input_file=tmp_path / "2.jsonl", input_format="jsonl", text_field="body")
    assert outcome.error == f"{tmp_path}/2.jsonl:2: expected an object with a string 'body', found text"


def test_the_same_text_gives_the_same_bytes_in_every_process(tmp_path):
    generator = random.Random(1)
    words = ["".join(generator.choices("abcdefgh", k=generator.randint(2, 7))) for _ in range(400)]
    (tmp_path / "text.txt").write_text("\n".join(" ".join(generator.choices(words, k=9)) for _ in range(800)))
    found = set()
    for seed, threads in (("0", "1"), ("7", "2"), ("random", "4")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads}
        command = [sys.executable, "-m", "bert", "build_vocabulary", "--vocab_size=400"]
        command += [f"--input_file={tmp_path}/text.txt", f"--output_file={tmp_path}/vocab.txt"]
        subprocess.run(command, check=True, env=environment, capture_output=True)
        found.add((tmp_path / "vocab.txt").read_bytes())
    assert len(found) == 1


def test_the_report_is_counted_by_hand(tmp_path):
    """Line 2 and 4 are held out: `ab` is a piece of the others, `ax` is not, `q` occurs nowhere else."""
    text = "ab ab\nab ab ax q\nab\nab\nab\n"
    flags = {"held_out_every": 2, "vocab_size": 14, "unused_slots": 5, "min_character_count": 1}
    outcome = build(tmp_path, text, **flags, report_file=tmp_path / "report.json")
    assert outcome.status == 0, outcome.stderr
    assert tokens_of(tmp_path)[10:] == ["a", "b", "##b", "ab"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert {name: report[name] for name in report if name.startswith(("text", "held_out"))} == {
        "text_words": 4,
        "text_unknown": 0.0,
        "text_whole_words": 1.0,
        "text_pieces_a_word": 1.0,
        "held_out_words": 5,
        "held_out_unknown": 0.4,
        "held_out_whole_words": 0.6,
        "held_out_pieces_a_word": 1.0,
    }


def test_the_words_are_those_that_the_reference_splits_off():
    for do_lower_case in (True, False):
        splitter = WordSplitter(do_lower_case)
        for line in (ENGLISH + CHINESE + AWKWARD).splitlines():
            expected = reference_tokenizer.basic_tokens(line, do_lower_case)
            assert splitter.words(line) == expected
            counted = {word.decode(): count for word, count in splitter.count([line])}
            assert counted == {word: expected.count(word) for word in expected}


@pytest.mark.parametrize(
    "word", ["ab1", "aB", "naïve", "nai\u0308ve", "字", "字字", "a字", "!", "a!", "a\u200b", "a b", "ß", "İ"]
)
def test_what_the_reference_leaves_as_one_word(word):
    """Here by a rule; the splitter goes by other Unicode tables, so what it gives is asked again."""
    for do_lower_case in (True, False):
        expected = reference_tokenizer.basic_tokens(word, do_lower_case) == [word]
        assert layout.is_word(word, do_lower_case) == expected


def test_the_table_of_words_stays_small_and_keeps_what_is_frequent():
    counter = WordCounter(max_bytes=100_000)
    for start in range(0, 20_000, 100):
        rare = [(f"rare{number}".encode(), 1) for number in range(start, start + 100)]
        counter.add([*rare, (b"the", 50), ("字".encode(), 1)])
    words = counter.words()
    assert list(words)[:2] == ["the", "字"]
    assert (words["the"], words["字"]) == (10_000, 200)
    assert len(words) * counting._ENTRY_BYTES < 100_000
    assert counter.total == 30_200
    assert counter.forgotten == counter.total - sum(words.values())


def test_a_full_table_is_told(tmp_path):
    text = "\n".join(f"{word}x{number} the" for number in range(3000) for word in ("a", "b"))
    outcome = build(tmp_path, text, counting_memory_mb=0.1, vocab_size=200)
    assert outcome.status == 0, outcome.stderr
    assert "--counting_memory_mb is too small for all different words" in outcome.stderr
    assert "the" in tokens_of(tmp_path)
