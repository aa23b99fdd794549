"""Lines of text in, lines of answers out: from standard input as they come, or from a file of any size."""

import codecs
import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from bert import files, quiet
from bert.errors import InputError
from bert.prediction.base import Prediction, Predictor
from bert.tasks.predictions import TO_SPACES
from bert.tasks.rows import filled_lines, is_json

PROMPT = "> "
READ_AT_ONCE = 1 << 16  # bytes of standard input; a line that is typed comes by itself
STANDARD_INPUT = "standard input"


class Lines:
    """A predictor that is asked in lines; `input_format` is auto, text or json, `output_format` text or json."""

    def __init__(self, predictor: Predictor, input_format: str, output_format: str) -> None:
        self.predictor, self.input_format, self.output_format = predictor, input_format, output_format

    def answer_file(self, path: str, output_path: str | None) -> None:
        """Answers a file line by line, in its order, into another (whole or not at all) or on standard output.

        Memory does not grow with the file. Raises InputError, naming file and line, for a line that is no row.
        """
        answers = self._answers_of_file(path)
        if output_path is None:
            with quiet.unread_output():
                _write(sys.stdout.buffer, answers)
            return
        with files.replaced(output_path) as temporary, files.open_binary(temporary, "wb") as file:
            _write(file, answers)

    def answer_standard_input(self) -> None:
        """Answers lines as they come, those that come together in one go; an empty line is the answer to a bad one,
        which standard error is told of. Raises InputError at the end, if there were bad ones."""
        bad = total = 0
        with quiet.unread_output():
            for lines in _lines_as_they_come(sys.stdin.buffer, sys.stdin.isatty()):
                if not total:
                    lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)  # as in a file
                answers, faults = self._answered(lines, total)
                print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr, flush=True)
                _write(sys.stdout.buffer, answers)
                sys.stdout.buffer.flush()
                bad, total = bad + len(faults), total + len(lines)
        if bad:
            raise InputError(f"{STANDARD_INPUT}: {bad} of {total} lines could not be answered")

    def _answers_of_file(self, path: str) -> Iterator[str]:
        lines = filled_lines(path)
        is_json_file = self.input_format == "auto" and is_json(path)
        while part := list(itertools.islice(lines, self.predictor.rows_at_once)):
            rows = [self._row(line, path, number + 1, is_json_file) for number, line in part]
            examples = self.predictor.read(rows, place=f"{path}:{{}}", first=part[0][0] + 1)
            yield from map(self._told, self.predictor.answer(examples))

    def _answered(self, lines: Sequence[bytes], before: int) -> tuple[list[str], list[str]]:
        """An answer for each line, empty for a bad one, and what is wrong with those."""
        answers, faults, examples = [""] * len(lines), [], {}
        for index, line in enumerate(lines):
            number = before + index + 1
            try:
                row = self._row(_decoded(line, number), STANDARD_INPUT, number)
                examples[index] = self.predictor.read([row], place=f"{STANDARD_INPUT}:{{}}", first=number)[0]
            except InputError as error:
                faults.append(f"error: {error}")
        for index, result in zip(examples, self.predictor.answer(list(examples.values())), strict=True):
            answers[index] = self._told(result)
        return answers, faults

    def _row(self, line: str, path: str, number: int, is_json_line: bool = False) -> object:
        """The row that a line is. Raises InputError for an empty one and for bad JSON."""
        if not line.strip():
            raise InputError(f"{path}:{number}: empty line, expected a row")
        is_json_line |= self.input_format == "json" or (self.input_format == "auto" and line.startswith("{"))
        if is_json_line:
            return files.parse_json(line, path, number)
        return self.predictor.row_of(line)

    def _told(self, result: Prediction) -> str:
        if self.output_format == "json":
            return json.dumps(result.as_dict(), ensure_ascii=False)
        return "\t".join(cell.translate(TO_SPACES) for cell in self.predictor.cells(result))


def check_files(input_path: str, output_path: str | None, others: Sequence[str]) -> None:
    """Raises InputError where the one cannot be read or the other, which is none of the `others` that are read, not be
    written."""
    files.check_readable(input_path, "`input_file`")
    if output_path:
        files.check_output(output_path, "output_file", [input_path, *others])


def _write(file: IO[bytes], lines: Iterable[str]) -> None:
    for line in lines:
        file.write(f"{line}\n".encode())


def _lines_as_they_come(file: IO[bytes], is_terminal: bool) -> Iterator[list[bytes]]:
    """Yields lines, without their ends, as many as are there at once; a person is shown that they may type."""
    rest = b""
    while True:
        if is_terminal:
            print(PROMPT, end="", file=sys.stderr, flush=True)
        read = file.read1(READ_AT_ONCE)  # type: ignore[attr-defined]  # waits for something, not for so much
        *lines, rest = (rest + read).split(b"\n")
        if len(rest) > files.LINE_LIMIT:
            raise InputError(
                f"{STANDARD_INPUT}: a line of more than {files.LINE_LIMIT >> 20} MB, expected shorter lines"
            )
        if not read and rest:  # the last line may have no end
            lines.append(rest)
            rest = b""
        if lines:
            yield lines
        if not read:
            return


def _decoded(line: bytes, number: int) -> str:
    try:
        return line.decode("utf-8").replace("\r", "")
    except UnicodeDecodeError as error:
        raise InputError(f"{STANDARD_INPUT}:{number}: not UTF-8: byte 0x{line[error.start]:02x}") from None
