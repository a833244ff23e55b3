"""Names: compared in one form, kept without loss, shown without harm; what lies in a folder is told."""

from __future__ import annotations

import io
import json
import os
import sys
import unicodedata
from pathlib import Path

import pytest
from refbench import cli
from refbench.builders.photos.keys import photo_keys
from refbench.command_line.arguments import emit
from refbench.errors import FaultListError, RefbenchError, UnreadableImageError
from refbench.files import walk_files, write_json
from refbench.images import find_photos
from refbench.names import is_portable, json_safe, kept, normal, printable, terminal_safe
from refbench.progress import say

LATIN = os.fsdecode(b"caf\xe9.jpg")
TITLE = "\x1b]0;owned\x07\x1b[2Jphoto.jpg"
LINE = "a\nwarning: all is well.jpg"
TURNED = "\u202egpj.live.jpg"


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def test_names_are_compared_in_composed_form() -> None:
    assert normal(nfd("José")) == "José" != nfd("José")
    assert kept(nfd("José")) == "José"
    assert kept(LATIN) == r"caf\xe9.jpg"
    assert kept("\ud800") == r"\ud800"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Zoë 1.jpg", "Zoë 1.jpg"),
        (LATIN, r"caf\xe9.jpg"),
        (TITLE, r"\x1b]0;owned\x07\x1b[2Jphoto.jpg"),
        (LINE, r"a\nwarning: all is well.jpg"),
        (TURNED, r"\u202egpj.live.jpg"),
    ],
)
def test_names_are_shown_on_one_line_without_commands(name: str, shown: str) -> None:
    assert printable(name) == shown
    printable(name).encode("utf-8")


def test_the_middle_of_a_long_name_is_left_out_on_request() -> None:
    assert printable("a" * 50 + "b" * 50, 20) == "a" * 8 + "..." + "b" * 8
    assert printable("a" * 20, 20) == "a" * 20


def test_what_is_printed_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"left out: {TITLE}")
    emit({}, False, f"one\n{TURNED}\tdone")
    emit({"name": TITLE + TURNED}, True, "")
    said = capsys.readouterr()
    assert said.err == "left out: \\x1b]0;owned\\x07\\x1b[2Jphoto.jpg\n"
    assert said.out.startswith("one\n\\u202egpj.live.jpg\tdone\n")
    assert "\x1b" not in said.out
    assert "\u202e" not in said.out
    assert json.loads(said.out.split("done\n")[1]) == {"name": TITLE + TURNED}


def test_safe_text_keeps_lines_and_every_letter() -> None:
    assert terminal_safe("Zoë\n\té – ≥ 1 \u00a0 中") == "Zoë\n\té – ≥ 1 \u00a0 中"
    assert terminal_safe("a\r\x9bb") == "a\\r\\x9bb"
    assert json_safe('"\u2028\ud800"') == '"\\u2028\\ud800"'


def test_errors_show_names_escaped() -> None:
    assert "\n" not in str(UnreadableImageError(Path(LINE), "damaged"))
    assert str(FaultListError("x", [f"{LINE}: gone"])).count("\n") == 1
    assert "\x1b" not in str(UnreadableImageError(Path(TITLE), "damaged"))


@pytest.mark.parametrize(
    "name",
    ["con", "AUX", "com1", "LPT9", "nul.png", "con.tar.gz", "a.", "a ", "a:b", "", ".", "a\x1b", "x" * 201],
)
def test_names_that_not_every_system_holds(name: str) -> None:
    assert not is_portable(name)


@pytest.mark.parametrize("name", ["console", "com10", "com", "con~1", "a.b", "Zoë", "auxiliary.png"])
def test_names_that_every_system_holds(name: str) -> None:
    assert is_portable(name)


def test_keys_are_never_names_that_windows_forbids() -> None:
    keys = photo_keys(["con.jpg", "AUX.jpg", "com1.png", "Ann.jpg", "a/con.jpg", "ann.png"])
    assert all(is_portable(key) for key in keys.values())
    assert keys["con.jpg"].startswith("con~")
    assert len(keys["con.jpg"]) == len("con~") + 6
    assert keys["a/con.jpg"] == "a--con"
    assert keys["Ann.jpg"] == "Ann"
    assert keys["ann.png"].startswith("ann~")


def test_keys_do_not_depend_on_the_form_of_the_names() -> None:
    names = ["José.jpg", "José.png", "b/é.jpg"]
    composed = list(photo_keys(names).values())
    assert list(photo_keys([nfd(name) for name in names]).values()) == composed
    both = photo_keys(["x/José.jpg", nfd("x/José.jpg"), LATIN, "caf.png"])
    assert len(set(both.values())) == 4


def test_json_keeps_names_that_are_no_utf8(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"source": LATIN})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"source": LATIN}


def test_what_is_no_plain_file_is_told_and_never_opened(tmp_path: Path) -> None:
    for name in ("a.png", "b/c.jpg", ".hidden/d.png", "b/.e.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "inside.png").write_bytes(b"x")
    (tmp_path / "link.png").symlink_to("nowhere.png")
    (tmp_path / "same.png").symlink_to("a.png")
    (tmp_path / "linked").symlink_to(tmp_path / "b")
    os.mkfifo(tmp_path / "pipe.png")
    left_out: dict[str, str] = {}
    found = [path.relative_to(tmp_path).as_posix() for path in find_photos(tmp_path, left_out)]
    assert found == ["a.png", "b/c.jpg", "folder.png/inside.png", "same.png"]
    assert left_out == {
        "link.png": "cannot be opened: a link into nowhere",
        "linked": "a link to a folder, which is not followed; name its target",
        "pipe.png": "a named pipe, no file",
    }


def test_what_is_left_out_is_told_where_nobody_reports_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe.txt")
    assert find_photos(tmp_path) == []
    assert capsys.readouterr().err == f"left out: {tmp_path}/pipe.png: a named pipe, no file\n"


def test_a_closed_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "a.png").write_bytes(b"x")
    opened = os.scandir

    def scandir(path: Path) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path)

    monkeypatch.setattr(os, "scandir", scandir)
    left_out: dict[str, str] = {}
    assert find_photos(tmp_path, left_out) == []
    assert left_out == {"closed": "a folder that cannot be opened: Permission denied"}
    with pytest.raises(FaultListError, match="closed: a folder that cannot be opened: Permission denied"):
        find_photos(tmp_path)
    with pytest.raises(RefbenchError, match="closed cannot be opened"):
        find_photos(closed)
    assert walk_files(tmp_path).others


def test_the_command_line_escapes_what_the_terminal_cannot_show(monkeypatch: pytest.MonkeyPatch) -> None:
    out, written = (io.TextIOWrapper(io.BytesIO(), "ascii", errors="strict") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(sys, "argv", ["refbench", "verify", "Zoë ≥ 1"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    written.flush()
    assert b"Zo\\xeb \\u2265 1 is not a reference set" in written.buffer.getvalue()  # type: ignore[attr-defined]
    assert out.errors == "backslashreplace"
