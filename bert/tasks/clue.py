"""Chinese tasks by name, as they are distributed: CLUE's JSON lines, and the tab-separated files that circulate."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import ClassVar

from bert.errors import InputError, quoted
from bert.tasks import rows
from bert.tasks.base import SPLITS, InputExample, Task, register
from bert.tasks.rows import Row

LABEL = "label"
TNEWS_NAMES = {  # CLUE's number of each class of TNEWS; 105 and 111 are not in use
    "100": "news_story",
    "101": "news_culture",
    "102": "news_entertainment",
    "103": "news_sports",
    "104": "news_finance",
    "106": "news_house",
    "107": "news_car",
    "108": "news_edu",
    "109": "news_tech",
    "110": "news_military",
    "112": "news_travel",
    "113": "news_world",
    "114": "news_stock",
    "115": "news_agriculture",
    "116": "news_game",
}


class ChineseTask(Task):
    """A task whose files are {train,dev,test}.json, .tsv or .txt, the first of them that is there.

    JSON has an object a line, CLUE's form. A text file is tab-separated, quotation marks are text, and it may open with
    a header, because it circulates with and without: the first line is one if all of its cells are plain names (ASCII
    letters, digits, _) and one of them is `label` or a name of a text in `texts`. Otherwise the columns are `columns`.
    Labels of a test file are not read, and its column for them may be missing. Raises InputError for a row with another
    number of columns.
    """

    file_names: ClassVar = {split: tuple(f"{split}.{ending}" for ending in ("json", "tsv", "txt")) for split in SPLITS}
    measures = ("accuracy",)
    texts: ClassVar[Sequence[tuple[str, ...]]]  # the names that each text goes by
    columns: ClassVar[Sequence[str]]  # of a text file without header; none: it must have one

    def rows(self, data_dir: str, split: str) -> Iterator[Row]:
        """The rows of a split, each with the names of its columns."""
        path = self.path(data_dir, split)
        first = next(rows.read(path, has_header=False), None)
        for row in rows.read(path, first is not None and self._is_header(first)):
            yield row if rows.is_json(path) else self._named(row, split)

    def example(self, row: Row, split: str) -> InputExample:
        label = None if split == "test" else label_of(row)
        first, *second = (text_of(row, names) for names in self.texts)
        return InputExample(f"{split}-{row.number}", first, second[0] if second else None, label)

    def _is_header(self, row: Row) -> bool:
        cells = [str(cell).strip() for cell in row.columns]
        known = {LABEL}.union(*self.texts)
        return all(cell.isascii() and cell.isidentifier() for cell in cells) and not known.isdisjoint(cells)

    def _named(self, row: Row, split: str) -> Row:
        """The row of a text file with names for its columns. Raises InputError where they are too few or too many."""
        header = row.header or self.columns
        if not header:
            names = " and ".join([LABEL, *(names[0] for names in self.texts)])
            raise InputError(f"{row.where}: no header before this row, expected one that names {names}")
        forms = [header]
        if split == "test":
            forms.append([name for name in header if name != LABEL])
        for form in forms:
            if len(form) == len(row.columns):
                return dataclasses.replace(row, header=form)
        raise InputError(f"{row.where}: {len(row.columns)} columns, expected {' TAB '.join(header)}")


def text_of(row: Row, names: Sequence[str]) -> str:
    """The text in the column that has one of the names. Raises InputError where there is none."""
    name = next((name for name in names if name in row.header), names[0])
    if not isinstance(row[name], str):
        raise InputError(f"{row.where}: '{name}' is {quoted(row[name])}, expected a text")
    return row[name]


def label_of(row: Row) -> str:
    """The label of a row; JSON may have it as a number."""
    return str(row[LABEL]).strip()


class ChinesePairs(ChineseTask):
    """Two sentences: do they say (label 1) or ask the same?"""

    labels = ("0", "1")
    texts = (("sentence1", "text_a"), ("sentence2", "text_b"))
    columns = ("sentence1", "sentence2", LABEL)


class ChineseText(ChineseTask):
    """One text and its class."""

    texts = (("sentence", "text_a"),)
    columns: ClassVar[Sequence[str]] = ("sentence", LABEL)


@register
class AFQMC(ChinesePairs):
    """Ant Financial Question Matching Corpus: questions to a customer service (CLUE, Xu et al. 2020)."""

    name = "afqmc"


@register
class LCQMC(ChinesePairs):
    """Large-scale Chinese Question Matching Corpus: questions to a search engine (Liu et al. 2018)."""

    name = "lcqmc"


@register
class BQ(ChinesePairs):
    """Bank Question corpus: questions to the customer service of a bank (Chen et al. 2018)."""

    name = "bq"


@register
class ChnSentiCorp(ChineseText):
    """Chinese Sentiment Corpus: is a review of a hotel, a computer or a book good, label 1 (Tan and Zhang 2008)?

    Its text files open with a header in all their forms: `label`, `text_a`, and before them sometimes `qid`.
    """

    name = "chnsenticorp"
    labels = ("0", "1")
    texts = (("text_a", "sentence"),)
    columns = ()


@register
class TNEWS(ChineseText):
    """Titles of Toutiao news in 15 classes (CLUE, Xu et al. 2020): labels are CLUE's numbers, or names such as
    news_edu, whichever the training file has."""

    name = "tnews"

    def learn_labels(self, data_dir: str) -> tuple[str, ...]:
        """All labels of the form that the first row of the training file has, in the order of their numbers."""
        first = next(self.rows(data_dir, "train"), None)
        if first is None:
            raise InputError(f"{self.path(data_dir, 'train')}: holds no example of task {self.name}")
        return tuple(TNEWS_NAMES.values() if label_of(first) in TNEWS_NAMES.values() else TNEWS_NAMES)


@register
class IFLYTEK(ChineseText):
    """Descriptions of apps in 119 classes (CLUE, Xu et al. 2020)."""

    name = "iflytek"
    labels = tuple(str(number) for number in range(119))
