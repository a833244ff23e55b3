"""Reading of text files as other programs write them: lines, lists of SHA-256 hashes, CSV tables and YAML.

Byte order marks, UTF-16, the line ends of Windows and of old Macs, empty lines and comments are no faults.
What cannot be read is told with the file, the line and what to do. Files of other code pages are refused
instead of guessed, because a wrong guess would change names in silence.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml

from .errors import FaultListError, UnreadableTextError
from .validation import did_you_mean

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAVE = "save it as UTF-8 text"
DELIMITERS = (",", ";", "\t")
HASH = re.compile(
    r"(?:hash\s*:\s*)?(?:\"?sha-?(?:2-)?256\"?[\s,;:]+)?[\"\\]?([0-9a-f]{64})\"?(?:[\s,;*].*)?", re.IGNORECASE
)
TAGGED_HASH = re.compile(r"\\?sha-?(?:2-)?256 ?\(.*\) ?= ?([0-9a-f]{64})", re.IGNORECASE)
TABLE_HEAD = re.compile(
    r"\"?(?:algorithm\"?[\s,;]+\"?hash|-{3,}\s+-{3,}|algorithm\s*:|path\s*:).*", re.IGNORECASE
)
MOST_FAULTS = 20


class Line(NamedTuple):
    """One line of a file, without its line end; ``number`` counts from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row of a table.

    Attributes:
        number: of its last line in the file, from 1.
        cells: text by column, without spaces around it; ``""`` for an empty cell.
    """

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A CSV file.

    Attributes:
        columns: as the first line names them; those that were asked for in the spelling of the asker.
        rows: in the order of the file.
        delimiter: the sign between cells: a comma, a semicolon or a tab.
        faults: what is wrong, with lines; empty in a table of `read_csv` or `parse_csv`, which raise them.
    """

    columns: tuple[str, ...]
    rows: tuple[CsvRow, ...]
    delimiter: str
    faults: tuple[str, ...] = ()

    def number(self, text: str) -> float:
        """A cell as a number; where semicolons or tabs part the cells, a decimal comma is one.

        Raises:
            ValueError: not a number.
        """
        return float(text.replace(",", ".") if self.delimiter != "," and "." not in text else text)


def decode_text(data: bytes, name: str | PathLike[str]) -> str:
    r"""Decode the bytes of a text file to text whose lines end with ``\n``.

    UTF-8, and UTF-16 or UTF-32 with a byte order mark; UTF-16 without one where the zero bytes show it.

    Args:
        data: the whole file.
        name: of the file, for errors.

    Raises:
        UnreadableTextError: of another encoding, or not text; with the first line that cannot be read.
    """
    coding, mark = next(((coding, mark) for mark, coding in MARKS if data.startswith(mark)), ("", b""))
    body = data[len(mark) :]
    coding = coding or _unmarked_coding(body)
    try:
        text = body.decode(coding)
    except UnicodeDecodeError as error:
        raise UnreadableTextError(name, _coding_fault(body, coding, error)) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UnreadableTextError(name, f"line {line} holds a zero byte: it is no text file; {SAVE}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unmarked_coding(body: bytes) -> str:
    start = body[:4096]
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if max(even, odd) * 4 < len(start) or min(even, odd):
        return "utf-8"
    return "utf-16-le" if odd else "utf-16-be"


def _coding_fault(body: bytes, coding: str, error: UnicodeDecodeError) -> str:
    if coding != "utf-8":
        return f"its {coding.upper()} text is damaged at byte {error.start}; {SAVE}"
    number = body.count(b"\n", 0, error.start) + 1
    line = body.split(b"\n")[number - 1].strip()
    perhaps = line[:60].decode("cp1252", "replace")
    return (
        f"line {number} is not UTF-8 (byte {body[error.start]:#04x}; in the Windows code page 1252 it would "
        f"read {perhaps!r}); {SAVE}"
    )


def read_text(path: Path) -> str:
    r"""Read a text file; its lines end with ``\n``. See `decode_text`.

    Raises:
        UnreadableTextError: it cannot be opened, is of another encoding or not text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableTextError(path, f"cannot be read: {error.strerror or error}") from None
    return decode_text(data, path)


def lines_of(text: str) -> list[Line]:
    """The lines that say something: without spaces around, empty lines and comments (``# ...``) left out."""
    lines = (Line(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1))
    return [line for line in lines if line.text and not line.text.startswith("#")]


def read_lines(path: Path) -> list[Line]:
    """The lines of a file, as `lines_of` gives them.

    Raises:
        UnreadableTextError: see `read_text`.
    """
    return lines_of(read_text(path))


def read_hashes(path: Path) -> list[str]:
    """A list of SHA-256 hashes (or perceptual hashes) of 64 hexadecimal digits, in lower case.

    Read are hashes alone, and what sha256sum, ``shasum --tag``, OpenSSL, certutil and PowerShell's
    Get-FileHash write.

    Raises:
        UnreadableTextError: see `read_text`.
        FaultListError: lines without a hash, the first twenty.
    """
    hashes, wrong = [], []
    for line in read_lines(path):
        if TABLE_HEAD.fullmatch(line.text) or re.match(r"(?i)(?:sha256 hash of |certutil: )", line.text):
            continue
        found = HASH.fullmatch(line.text) or TAGGED_HASH.fullmatch(line.text)
        if found is None:
            wrong.append(f"line {line.number}: no hash of 64 hexadecimal digits; got {line.text[:80]!r}")
        else:
            hashes.append(found[1].lower())
    if wrong:
        more = [f"... and {len(wrong) - MOST_FAULTS} more lines"] if len(wrong) > MOST_FAULTS else []
        fix = "wanted one SHA-256 per line, alone or as sha256sum and shasum --tag write it"
        raise FaultListError(str(path), [*wrong[:MOST_FAULTS], *more], fix)
    return hashes


def read_csv(path: Path, columns: Sequence[str], *, optional: Sequence[str] | None = None) -> CsvTable:
    """Read a CSV file whose first line names its columns. See `parse_csv`.

    Raises:
        UnreadableTextError: see `read_text`.
        FaultListError: see `parse_csv`.
    """
    return parse_csv(read_text(path), str(path), columns, optional=optional)


def parse_csv(
    text: str, name: str, columns: Sequence[str], *, optional: Sequence[str] | None = None
) -> CsvTable:
    """Read a CSV table with commas, semicolons or tabs between its cells; its first line names the columns.

    The names of columns are compared whatever the case of their letters. A first line ``sep=;`` of Excel,
    empty lines and comments are passed over.

    Args:
        text: of the file.
        name: of the file, for errors.
        columns: that it must have.
        optional: that it may have; None where any other column may be there.

    Raises:
        FaultListError: missing, unknown and repeated columns; rows with more or fewer cells; open quotes;
            all at once, with lines.
    """
    table = scan_csv(text, columns, optional)
    if table.faults:
        raise FaultListError(name, table.faults)
    return table


def scan_csv(text: str, columns: Sequence[str], optional: Sequence[str] | None = None) -> CsvTable:
    """As `parse_csv`, with the rows that can be read and the faults of all others in ``CsvTable.faults``."""
    said = re.match(r"\s*sep=(.)\n", text, re.IGNORECASE)
    body = "\n" * text.count("\n", 0, said.end()) + text[said.end() :] if said else text
    known = {column.lower(): column for column in (*columns, *(optional or ()))}
    first = next(iter(lines_of(body)), Line(0, ""))
    fitting = [sum(_plain(cell) in known for cell in first.text.split(sign)) for sign in DELIMITERS]
    delimiter = said[1] if said else DELIMITERS[fitting.index(max(fitting))]
    header: list[str] = []
    rows: list[CsvRow] = []
    faults: list[str] = []
    for number, cells in _csv_cells(body, delimiter, faults):
        if not header:
            header = [known.get(_plain(cell), cell.strip()) for cell in cells]
            faults += _column_faults(header, columns, optional)
            if faults:
                break
        elif len(cells) != len(header):
            faults.append(
                f"line {number}: has {len(cells)} cells; the first line names {len(header)} columns"
            )
        else:
            row = zip(header, (cell.strip() for cell in cells), strict=True)
            rows.append(CsvRow(number, dict(row)))
    if not header and not faults:
        faults = [f"the first line must name the columns {', '.join(columns)}; the file is empty"]
    return CsvTable(tuple(header), tuple(rows), delimiter, tuple(faults))


def _csv_cells(body: str, delimiter: str, faults: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Number of the last line and cells of every row that is neither empty nor a comment."""
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            said = any(cell.strip() for cell in cells)
            if said and not cells[0].lstrip().startswith("#"):
                yield reader.line_num, cells
    except csv.Error as error:
        faults.append(f"line {reader.line_num}: {error}")


def _plain(cell: str) -> str:
    return cell.strip().strip('"').strip().lower()


def _column_faults(
    header: Sequence[str], columns: Sequence[str], optional: Sequence[str] | None
) -> Iterator[str]:
    got = ", ".join(map(repr, header))
    missing = [column for column in columns if column not in header]
    if missing:
        wanted = f"{', '.join(columns)}; missing: {', '.join(missing)}"
        yield f"the first line must name the columns {wanted}; got {got}"
        return
    for column in header:
        if optional is not None and column not in (*columns, *optional):
            hint = did_you_mean(column, (*columns, *optional))
            yield f"no column is called {column!r}{hint}; they are {', '.join((*columns, *optional))}"
    for column in sorted({column for column in header if header.count(column) > 1}):
        yield f"two columns are called {column!r}"


class _Loader(yaml.SafeLoader):
    """Plain YAML that notes keys which a mapping has twice; YAML itself keeps the last one in silence."""

    allow_aliases = True

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[str] = []

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if not self.allow_aliases and self.check_event(yaml.AliasEvent):
            mark = cast("Any", self).peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=mark)
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        first: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                line = key.start_mark.line + 1
                before = first.get((key.tag, key.value))
                if before is None:
                    first[key.tag, key.value] = line
                else:
                    self.repeated.append(f"{key.value!r} stands twice, in lines {before} and {line}")
        return node


class _TextLoader(_Loader):
    """As `_Loader`, with every scalar as text and without aliases, which can make a small file huge."""

    allow_aliases = False

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.yaml_implicit_resolvers = {}


def parse_yaml(text: str, name: str | PathLike[str], *, plain_text: bool = False) -> Any:
    """Read YAML without objects: mappings, lists and values.

    Args:
        text: of the file.
        name: of the file, for errors.
        plain_text: keep every value as text (``001_2`` is no number) and refuse aliases (``*name``), which
            can make a small file huge.

    Raises:
        UnreadableTextError: not YAML, or one key twice in a mapping; with lines.
    """
    loader = (_TextLoader if plain_text else _Loader)(text)
    try:
        content = loader.get_single_data()
    except yaml.YAMLError as error:
        raise UnreadableTextError(name, f"not valid YAML: {_where(error)}") from None
    except (RecursionError, ValueError, TypeError) as error:
        said = "nested far too deep" if isinstance(error, RecursionError) else str(error)
        raise UnreadableTextError(name, f"not valid YAML: {said}") from None
    finally:
        loader.dispose()
    if loader.repeated:
        raise UnreadableTextError(name, f"{'; '.join(loader.repeated)}: remove one")
    return content


def read_yaml(path: Path, *, plain_text: bool = False) -> Any:
    """Read a YAML file. See `parse_yaml`.

    Raises:
        UnreadableTextError: it cannot be opened, is no text or not YAML, or has one key twice in a mapping.
    """
    return parse_yaml(read_text(path), path, plain_text=plain_text)


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    parts = [getattr(error, "context", None), getattr(error, "problem", None)]
    said = ", ".join(part for part in parts if part) or " ".join(str(error).split()) or "unreadable"
    return f"{said}, line {mark.line + 1}" if mark else said
