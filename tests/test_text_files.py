"""One reader of text for every list, table and YAML file: other programs' encodings, forms and faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from refbench.errors import FaultListError, UnreadableTextError
from refbench.text_files import (
    decode_text,
    parse_csv,
    parse_yaml,
    read_csv,
    read_hashes,
    read_lines,
    read_yaml,
)

DIGEST = "ab" * 32
UPPER = DIGEST.upper()


def written(folder: Path, data: bytes) -> Path:
    path = folder / "file.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_unicode_encoding_and_line_end_gives_the_same_text(coding: str, end: str) -> None:
    text = f"a plain first line{end}Zoë{end}"
    assert decode_text(text.encode(coding), "f") == "a plain first line\nZoë\n"


def test_another_code_page_is_told_with_line_and_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path, "identity,group\np0000,Süd\n".encode("cp1252"))
    with pytest.raises(
        UnreadableTextError, match=r"line 2 is not UTF-8.*'p0000,Süd'.*save it as UTF-8"
    ) as told:
        read_csv(path, ("identity", "group"))
    assert str(path) in str(told.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xfea\x00b", "its UTF-16-LE text is damaged"),
        (b"PK\x03\x04 and much text that follows it \x00\n", "line 1 holds a zero byte"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(UnreadableTextError, match=said):
        read_lines(written(tmp_path, data))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableTextError, match=r"absent\.txt: cannot be read: No such file"):
        read_lines(tmp_path / "absent.txt")


def test_lines_are_numbered_and_empty_ones_and_comments_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, b"# training images\r\n\r\n  a.png \r\nb#1.png\r\n")
    assert read_lines(path) == [(3, "a.png"), (4, "b#1.png")]


@pytest.mark.parametrize(
    "text",
    [
        DIGEST,
        f"{UPPER}  a b.png",
        f"{DIGEST} *a.png",
        f"\\{DIGEST}  a\\\\b.png",
        f"SHA256 (a (1).png) = {DIGEST}",
        f"SHA2-256(a.png)= {DIGEST}",
        f"SHA256 hash of a.png:\n{DIGEST}\nCertUtil: -hashfile command completed successfully.",
        f"Algorithm    Hash       Path\n---------    ----       ----\nSHA256       {UPPER}  C:\\a.png",
        f"Algorithm : SHA256\nHash      : {UPPER}\nPath      : C:\\a.png",
        f'"Algorithm","Hash","Path"\n"SHA256","{UPPER}","C:\\a.png"',
        f"# comment\n\n{DIGEST},a.png",
    ],
)
def test_hashes_in_the_form_of_every_common_tool(tmp_path: Path, text: str) -> None:
    assert read_hashes(written(tmp_path, text.encode())) == [DIGEST]


def test_lines_without_a_hash_are_told_all_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, f"{DIGEST}\nd41d8cd98f00b204e9800998ecf8427e  md5.png\n{DIGEST}00\n".encode())
    with pytest.raises(FaultListError) as told:
        read_hashes(path)
    assert [fault.split(":")[0] for fault in told.value.faults] == ["line 2", "line 3"]


def test_a_list_of_other_things_is_told_shortly(tmp_path: Path) -> None:
    with pytest.raises(FaultListError) as told:
        read_hashes(written(tmp_path, b"no hash\n" * 100))
    assert len(told.value.faults) == 21
    assert told.value.faults[-1] == "... and 80 more lines"


@pytest.mark.parametrize(
    "text",
    [
        "identity,group\na,b\n",
        "identity;group\r\na;b\r\n".replace("\r\n", "\n"),
        "sep=;\nGroup;Identity\nb;a\n",
        "identity\tgroup\na\tb\n",
        '# by hand\n\n"identity", group\n# more\n a , b \n,\n',
    ],
)
def test_tables_of_spreadsheets(text: str) -> None:
    table = parse_csv(text, "groups.csv", ("identity", "group"))
    assert [dict(row.cells) for row in table.rows] == [{"identity": "a", "group": "b"}]


def test_quoted_cells_hold_commas_quotes_and_line_breaks() -> None:
    table = parse_csv('a,b\n"1, ""2""","3\n4"\n5,6\n', "t", ("a", "b"))
    assert [(row.number, *row.cells.values()) for row in table.rows] == [(3, '1, "2"', "3\n4"), (4, "5", "6")]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["the first line must name the columns a, b; the file is empty"]),
        ("a\n1\n", ["the first line must name the columns a, b; missing: b; got 'a'"]),
        ("a,b,weigt\n", ["no column is called 'weigt'; did you mean 'weight'?; they are a, b, weight"]),
        ("a,b,a\n", ["two columns are called 'a'"]),
        ("a,b\n1\n1,2\n1,2,3\n", ["line 2: has 1 cells; the first line names 2 columns", None]),
        ('a,b\n1,"2\n', ["line 2: unexpected end of data"]),
    ],
)
def test_faults_of_a_table_are_told_with_lines(text: str, faults: list[str | None]) -> None:
    with pytest.raises(FaultListError) as told:
        parse_csv(text, "t", ("a", "b"), optional=("weight",))
    assert len(told.value.faults) == len(faults)
    assert told.value.faults[0] == faults[0]


def test_a_decimal_comma_is_one_where_semicolons_part_the_cells() -> None:
    assert parse_csv("a;b\n0,25;1\n", "t", ("a", "b")).number("0,25") == 0.25
    with pytest.raises(ValueError, match="could not convert"):
        parse_csv("a,b\n1,1\n", "t", ("a", "b")).number("1,234")


def test_yaml_with_a_mark_of_byte_order_and_windows_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "model: Zoë\r\nsteps:\r\n  - 1\r\n".encode("utf-16"))
    assert read_yaml(path) == {"model": "Zoë", "steps": [1]}


def test_a_key_that_stands_twice_is_told_with_both_lines() -> None:
    text = "a: 1\nb: {c: 1, c: 2}\n'a': 3\n"
    with pytest.raises(UnreadableTextError) as told:
        parse_yaml(text, "set.yaml")
    assert str(told.value) == (
        "set.yaml: 'c' stands twice, in lines 2 and 2; 'a' stands twice, in lines 1 and 3: remove one"
    )


def test_a_key_that_overrides_a_merged_one_is_no_double() -> None:
    text = "base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  a: 3\nlast:\n  <<: *base\n  b: 4\n"
    assert parse_yaml(text, "f")["other"] == {"a": 3, "b": 2}


def test_plain_text_keeps_numbers_and_refuses_aliases() -> None:
    assert parse_yaml("drop: [001_2, yes, 1.0]", "f", plain_text=True) == {"drop": ["001_2", "yes", "1.0"]}
    with pytest.raises(UnreadableTextError, match="aliases"):
        parse_yaml("a: &a [1]\nb: *a", "f", plain_text=True)


@pytest.mark.parametrize("text", ["a: [1", "a: !!python/object:os.system {}", "[" * 5000, "a: 2001-99-99"])
def test_what_is_no_plain_yaml_is_one_line(text: str) -> None:
    with pytest.raises(UnreadableTextError, match="not valid YAML") as told:
        parse_yaml(text, "f.yaml")
    assert len(str(told.value).splitlines()) == 1
