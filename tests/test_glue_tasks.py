"""The tasks of GLUE in the layouts of their distribution, and the files for its server."""

import logging

import pytest

from bert import tasks
from bert.tasks import InputExample, labels_file, submission
from tests.task_files import refused

LABELLED = {  # of each task a training file with its header, and the examples in it
    "sst-2": (
        "sentence\tlabel\nthe second half drags \t0\na joy from start to end \t1\n",
        [("the second half drags ", None, "0"), ("a joy from start to end ", None, "1")],
    ),
    "sts-b": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
        '0\tnews\tx\t2015\t0001\tnone\tnone\tA boat "sinks.\tA ship goes down.\t4.250\n'
        "1\tnews\tx\t2015\t0002\tnone\tnone\tIt rains.\tHe sings.\t0.000\n",
        [('A boat "sinks.', "A ship goes down.", 4.25), ("It rains.", "He sings.", 0.0)],
    ),
    "qqp": (
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
        "7\t1\t2\tHow do I bake bread?\tHow is bread baked?\t1\n"
        "8\t3\t4\tWhere is Ulm?\tWho lives in Ulm?\t0\n",
        [("How do I bake bread?", "How is bread baked?", "1"), ("Where is Ulm?", "Who lives in Ulm?", "0")],
    ),
    "qnli": (
        "index\tquestion\tsentence\tlabel\n"
        "0\tWho built it?\tA mason built it.\tentailment\n"
        "1\tWhen was it built?\tA mason built it.\tnot_entailment\n",
        [
            ("Who built it?", "A mason built it.", "entailment"),
            ("When was it built?", "A mason built it.", "not_entailment"),
        ],
    ),
    "rte": (
        "index\tsentence1\tsentence2\tlabel\n"
        "0\tThe mill closed in May.\tThe mill is closed.\tentailment\n"
        "1\tThe mill closed in May.\tThe mill burnt.\tnot_entailment\n",
        [
            ("The mill closed in May.", "The mill is closed.", "entailment"),
            ("The mill closed in May.", "The mill burnt.", "not_entailment"),
        ],
    ),
    "wnli": (
        "index\tsentence1\tsentence2\tlabel\n"
        "0\tThe cup fell on the plate and it broke.\tThe plate broke.\t1\n"
        "1\tThe cup fell on the plate and it broke.\tThe floor broke.\t0\n",
        [
            ("The cup fell on the plate and it broke.", "The plate broke.", "1"),
            ("The cup fell on the plate and it broke.", "The floor broke.", "0"),
        ],
    ),
}
UNLABELLED = {  # of each task the test file of the distribution, and the texts in it
    "sst-2": ("index\tsentence\n0\tso so\n", ("so so", None)),
    "sts-b": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\n"
        "0\tnews\tx\t2015\t0003\tnone\tnone\tA dog runs.\tA cat runs.\n",
        ("A dog runs.", "A cat runs."),
    ),
    "qqp": ("id\tquestion1\tquestion2\n0\tWhy?\tWhy not?\n", ("Why?", "Why not?")),
    "qnli": ("index\tquestion\tsentence\n0\tWho?\tNobody.\n", ("Who?", "Nobody.")),
    "rte": ("index\tsentence1\tsentence2\n0\tIt ended.\tIt is over.\n", ("It ended.", "It is over.")),
    "wnli": ("index\tsentence1\tsentence2\n0\tIt ended.\tIt is over.\n", ("It ended.", "It is over.")),
    "ax": ("index\tsentence1\tsentence2\n0\tNo cat sat.\tA cat sat.\n", ("No cat sat.", "A cat sat.")),
}
MNLI_HEADER = (
    "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse"
    "\tsentence1\tsentence2"
)
MEASURES = {
    "cola": ("matthews",),
    "mrpc": ("accuracy", "f1"),
    "qqp": ("accuracy", "f1"),
    "sts-b": ("pearson", "spearman"),
}
SUBMISSIONS = {
    "cola": "CoLA.tsv",
    "sst-2": "SST-2.tsv",
    "mrpc": "MRPC.tsv",
    "sts-b": "STS-B.tsv",
    "qqp": "QQP.tsv",
    "mnli": "MNLI-m.tsv",
    "mnli-mm": "MNLI-mm.tsv",
    "qnli": "QNLI.tsv",
    "rte": "RTE.tsv",
    "wnli": "WNLI.tsv",
    "ax": "AX.tsv",
    "xnli": None,
}


@pytest.mark.parametrize("name", LABELLED)
def test_labelled_files_of_the_distribution(folder, name):
    text, expected = LABELLED[name]
    data_dir = folder(train=text, dev=text)
    for split in ("train", "dev"):
        examples = tasks.find(name)().examples(data_dir, split)
        assert [(example.text_a, example.text_b, example.label) for example in examples] == expected
        assert [example.guid for example in examples] == [f"{split}-1", f"{split}-2"]


@pytest.mark.parametrize("name", UNLABELLED)
def test_test_files_of_the_distribution_have_no_labels(folder, name):
    text, texts = UNLABELLED[name]
    assert tasks.find(name)().examples(folder(test=text), "test") == [InputExample("test-1", *texts)]


def test_labels_of_a_test_file_are_not_read(folder):
    text = LABELLED["rte"][0].replace("not_entailment", "?")
    examples = tasks.find("rte")().examples(folder(test=text), "test")
    assert [example.label for example in examples] == [None, None]


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_every_task_names_its_measures_and_the_file_of_the_server(name):
    task = tasks.find(name)
    assert task.measures == MEASURES.get(name, ("accuracy",))
    assert task.submission == SUBMISSIONS[name]


@pytest.mark.parametrize("name", ["sst-2", "qqp", "qnli", "rte", "wnli"])
def test_a_label_of_another_task_is_told_with_file_and_line(folder, name):
    text, expected = LABELLED[name]
    data_dir = folder(dev=text.replace(f"\t{expected[1][2]}\n", "\tneutral\n"))
    line = 1 + [label for _, _, label in expected].index(expected[1][2]) + 1
    message = refused(tasks.find(name)().examples, data_dir, "dev")
    labels = ", ".join(tasks.find(name).labels)
    assert message == f"{data_dir}/dev.tsv:{line}: unknown label 'neutral', expected one of {labels}"


def test_a_score_that_is_no_number_is_told_with_file_and_line(folder):
    data_dir = folder(train=LABELLED["sts-b"][0].replace("0.000", "none"))
    message = refused(tasks.find("sts-b")().examples, data_dir, "train")
    assert message == f"{data_dir}/train.tsv:3: the label is 'none', expected a number"


def test_the_files_of_another_task_are_told_with_the_columns_they_have(folder):
    data_dir = folder(train=LABELLED["qnli"][0])
    message = refused(tasks.find("rte")().examples, data_dir, "train")
    assert message == f"{data_dir}/train.tsv:1: no column 'sentence1', the header has: index, question, sentence, label"


def test_a_short_row_is_told_with_file_and_line(folder):
    for name, split in (("rte", "train"), ("qqp", "dev"), ("qqp", "test")):
        header = LABELLED[name][0].partition("\n")[0] if split != "test" else "id\tquestion1\tquestion2"
        data_dir = folder(**{split: f"{header}\n0\tonly\n"})
        message = refused(tasks.find(name)().examples, data_dir, split)
        assert message.startswith(f"{data_dir}/{split}.tsv:2: too short: 2 columns, expected at least ")


def test_qqp_leaves_out_the_rows_that_are_broken_over_lines(folder, caplog):
    header, first, second = LABELLED["qqp"][0].splitlines()
    broken = "9\t5\t6\tWhat is\n\nthis thing?\tWhat is that?\t0"
    another = "9\t5\t6\tWhat is it?\tWhat is\nthat thing?\t0"
    data_dir = folder(train="\n".join([header, first, broken, another, second]) + "\n")
    with caplog.at_level(logging.WARNING):
        examples = tasks.find("qqp")().examples(data_dir, "train")
    assert [(example.guid, example.label) for example in examples] == [("train-1", "1"), ("train-7", "0")]
    assert caplog.messages == [
        f"{data_dir}/train.tsv:3: the first of 5 lines that are left out, blank or with fewer columns than the 6 of"
        " the header"
    ]


def test_qqp_without_broken_rows_warns_of_nothing(folder, caplog):
    assert len(tasks.find("qqp")().examples(folder(train=LABELLED["qqp"][0]), "train")) == 2
    assert not caplog.messages


def test_a_training_file_that_is_not_of_qqp_is_an_error(folder):
    for text, problem in (
        (LABELLED["rte"][0], ":1: no column 'is_duplicate', the header has: index, sentence1, sentence2, label"),
        (LABELLED["qqp"][0].replace("\t1\n", "\tx\n"), ":2: unknown label 'x', expected one of 0, 1"),
        (LABELLED["qqp"][0].replace("\t", " "), ":1: no column 'is_duplicate', the header has: id qid1"),
        ("", ": holds no example of task qqp"),
    ):
        data_dir = folder(train=text)
        assert refused(tasks.find("qqp")().examples, data_dir, "train").startswith(f"{data_dir}/train.tsv{problem}")


def test_mnli_mismatched_has_the_training_file_of_mnli_and_sets_of_its_own(folder):
    row = "5\t1\t1e\tfiction\t( p )\t( h )\tP\tH\tIt snows.\tIt is cold."
    data_dir = folder(
        train=f"{MNLI_HEADER}\tlabel1\tgold_label\n{row}\tneutral\tneutral\n",
        dev_mismatched=f"{MNLI_HEADER}\tlabel1\tlabel2\tgold_label\n{row}\tneutral\tneutral\tentailment\n",
        test_mismatched=f"{MNLI_HEADER}\n{row}\n",
    )
    task = tasks.find("mnli-mm")()
    texts = ("It snows.", "It is cold.")
    assert task.examples(data_dir, "train") == [InputExample("train-5", *texts, "neutral")]
    assert task.examples(data_dir, "dev") == [InputExample("dev_mismatched-5", *texts, "entailment")]
    assert task.examples(data_dir, "test") == [InputExample("test-5", *texts)]
    assert task.examples(data_dir, "train") == tasks.find("mnli")().examples(data_dir, "train")


@pytest.mark.parametrize("file_name", ["diagnostic", "AX", "test"])
def test_the_diagnostic_set_has_several_names_and_is_only_for_predictions(folder, tmp_path, file_name):
    data_dir = folder(**{file_name: UNLABELLED["ax"][0]})
    task = tasks.find("ax")()
    assert len(task.examples(data_dir, "test")) == 1
    assert refused(task.check, data_dir, tasks.SPLITS) == (
        "`do_train`: task ax has no train set; `do_eval`: task ax has no dev set"
    )


def test_a_model_trained_on_mnli_predicts_the_diagnostic_set_and_one_of_rte_does_not(folder, tmp_path):
    data_dir = folder(diagnostic=UNLABELLED["ax"][0])
    labels_file.write(str(tmp_path), tasks.find("mnli")().labels_content())
    tasks.find("ax")().prepare(data_dir, str(tmp_path), ["test"])
    labels_file.write(str(tmp_path), tasks.find("rte")().labels_content())
    message = refused(tasks.find("ax")().prepare, data_dir, str(tmp_path), ["test"])
    assert "a model with labels entailment, not_entailment lies here" in message


@pytest.mark.parametrize(
    ("name", "answers", "rows"),
    [
        ("mnli", ["neutral", "entailment"], "0\tneutral\n1\tentailment\n"),
        ("rte", ["not_entailment"], "0\tnot_entailment\n"),
        ("mrpc", ["1", "0", "1"], "0\t1\n1\t0\n2\t1\n"),
        ("sts-b", ["3.14159", "-0.2", "5.3", "-0.0"], "0\t3.142\n1\t0.000\n2\t5.000\n3\t0.000\n"),
    ],
)
def test_the_file_for_the_server(tmp_path, name, answers, rows):
    path = tmp_path / tasks.find(name).submission
    path.write_text("an older one")
    submission.write(str(path), tasks.find(name)(), answers)
    assert path.read_bytes().decode() == "index\tprediction\n" + rows
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "answer", "problem"),
    [
        ("rte", "1", "unknown label '1', expected one of entailment, not_entailment"),
        ("sts-b", "nan", "the label is 'nan', expected a number"),
    ],
)
def test_an_answer_that_the_task_has_not_leaves_no_file(tmp_path, name, answer, problem):
    path = tmp_path / "submission.tsv"
    good = "2.0" if name == "sts-b" else "entailment"
    message = refused(submission.write, str(path), tasks.find(name)(), [good, answer])
    assert message == f"{path}: prediction 1: {problem}"
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("mrpc", {"train": 3667, "dev": 408, "test": 1725}),
        ("cola", {"train": 8551, "dev": 1043, "test": 1063}),
        ("sst-2", {"train": 67349, "dev": 872, "test": 1821}),
        ("sts-b", {"train": 5749, "dev": 1500, "test": 1379}),
    ],
)
def test_the_public_files_are_read_whole(shared, name, rows):
    data_dir = shared / "data" / "glue" / tasks.find(name).submission.removesuffix(".tsv")
    if not data_dir.is_dir():
        pytest.skip(f"needs the folder {data_dir}")
    assert {split: len(tasks.find(name)().examples(str(data_dir), split)) for split in rows} == rows
