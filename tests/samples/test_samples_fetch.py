"""The London set from its publisher, against a server here that answers as the publisher does."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from refbench import downloads
from refbench.errors import InvalidInputError, RefbenchError
from refbench.samples.commands import app
from refbench.samples.fetch import ARTICLE, fetch_london
from typer.testing import CliRunner

JPEG = b"\xff\xd8\xff\xe0" + bytes(5000)


def zipped(members: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return held.getvalue()


def publish(web: Any, neutral: dict[str, bytes], smiling: dict[str, bytes], **replaced: Any) -> str:
    """Serve an article as figshare does; ``replaced`` are parts of its description."""
    archives = {"neutral_front.zip": zipped(neutral), "smiling_front.zip": zipped(smiling)}
    entries = []
    for number, (name, data) in enumerate(archives.items()):
        web.files[f"/files/{number}"] = data
        web.redirects[f"/ndownloader/{number}"] = f"{web.url}/files/{number}"
        entries.append(
            {
                "name": name,
                "size": len(data),
                "download_url": f"{web.url}/ndownloader/{number}",
                "computed_md5": hashlib.md5(data).hexdigest(),
                "is_link_only": False,
            }
        )
    entries.append({"name": "london_faces_info.csv", "size": 1, "download_url": "", "computed_md5": ""})
    article = {"version": 5, "license": {"name": "CC BY 4.0"}, "files": entries} | replaced
    web.files["/v2/articles/5047666/versions/5"] = json.dumps(article).encode()
    web.types["/v2/articles/5047666/versions/5"] = "application/json"
    return f"{web.url}/v2/articles/5047666/versions/5"


NEUTRAL = {
    "neutral_front/001_03.jpg": JPEG + b"a",
    "neutral_front/001_03.tem": b"points",
    "neutral_front/002_03.jpg": JPEG + b"b",
    "__MACOSX/neutral_front/._001_03.jpg": b"junk",
    "__MACOSX/neutral_front/003_03.jpg": b"junk",
    "../004_03.jpg/x.jpg": b"junk",
}
SMILING = {"smiling_front/001_08.jpg": JPEG + b"c", "smiling_front/002_08.jpg": JPEG + b"d"}


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PAUSE", 0.0)


def test_the_photos_arrive_with_their_card(web: Any, tmp_path: Path) -> None:
    got = fetch_london(tmp_path / "london", publish(web, NEUTRAL, SMILING))
    assert (got.photos, got.was_here) == (4, False)
    names = sorted(path.name for path in (tmp_path / "london").iterdir())
    assert names == ["001_1.jpg", "001_2.jpg", "002_1.jpg", "002_2.jpg", "CARD.md", "source.json"]
    assert (tmp_path / "london" / "002_2.jpg").read_bytes() == JPEG + b"d"
    card = (tmp_path / "london" / "CARD.md").read_text("utf-8")
    assert "CC BY 4.0" in card
    assert "DeBruine" in card
    assert "10.6084/m9.figshare.5047666.v5" in card
    assert sorted(path.name for path in tmp_path.iterdir()) == ["london"]


def test_a_second_run_asks_for_nothing(web: Any, tmp_path: Path) -> None:
    article = publish(web, NEUTRAL, SMILING)
    fetch_london(tmp_path / "london", article)
    asked = len(web.requests)
    assert fetch_london(tmp_path / "london", article).was_here
    assert len(web.requests) == asked


def test_a_cut_off_run_is_taken_up(web: Any, tmp_path: Path) -> None:
    article = publish(web, NEUTRAL, SMILING)
    web.cuts["/files/1"] = [100, 100, 100]
    with pytest.raises(RefbenchError, match=r"ended after 300 of"):
        fetch_london(tmp_path / "london", article)
    assert not (tmp_path / "london" / "source.json").exists()
    assert fetch_london(tmp_path / "london", article).photos == 4
    assert web.requests[-1] == ("GET", "/files/1", "bytes=300-")
    assert [path for _, path, _ in web.requests].count("/files/0") == 1


def test_a_wrong_sum_is_refused(web: Any, tmp_path: Path) -> None:
    article = publish(web, NEUTRAL, SMILING)
    web.files["/files/0"] = bytes(len(web.files["/files/0"]))
    with pytest.raises(InvalidInputError, match=r"neutral_front\.zip: its md5 is .*the publisher states"):
        fetch_london(tmp_path / "london", article)
    assert not list((tmp_path / "london").glob("*.jpg"))


@pytest.mark.parametrize(
    ("replaced", "word"),
    [
        ({"license": {"name": "CC BY-NC 4.0"}}, "the licence is now"),
        ({"files": []}, "not the description"),
        ({"files": None}, "not the description"),
        ({"license": None}, "not the description"),
    ],
)
def test_another_article_is_refused(web: Any, tmp_path: Path, replaced: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidInputError, match=word):
        fetch_london(tmp_path / "london", publish(web, NEUTRAL, SMILING, **replaced))


def test_what_is_no_photo_is_refused(web: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="not a JPEG"):
        fetch_london(tmp_path / "a", publish(web, {"n/001_03.jpg": b"text"}, SMILING))
    with pytest.raises(InvalidInputError, match="no photos named"):
        fetch_london(tmp_path / "b", publish(web, {"n/readme.txt": b"text"}, SMILING))
    assert not list(tmp_path.rglob("*.jpg"))


def test_nothing_is_written_outside_the_folder(web: Any, tmp_path: Path) -> None:
    evil = {"../../005_03.jpg": JPEG, "/006_03.jpg": JPEG, "neutral_front/001_03.jpg": JPEG}
    fetch_london(tmp_path / "deep" / "london", publish(web, evil, SMILING))
    assert {path.parent for path in tmp_path.rglob("*.jpg")} == {tmp_path / "deep" / "london"}


def test_a_folder_of_something_else_is_left_alone(web: Any, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "001_1.jpg").write_bytes(b"mine")
    with pytest.raises(RefbenchError, match="contains other files"):
        fetch_london(tmp_path / "own", publish(web, NEUTRAL, SMILING))
    assert (tmp_path / "own" / "001_1.jpg").read_bytes() == b"mine"
    assert not web.requests


def test_a_photo_that_was_deleted_is_brought_back(web: Any, tmp_path: Path) -> None:
    article = publish(web, NEUTRAL, SMILING)
    fetch_london(tmp_path / "london", article)
    (tmp_path / "london" / "001_1.jpg").unlink()
    assert not fetch_london(tmp_path / "london", article).was_here
    assert (tmp_path / "london" / "001_1.jpg").exists()


def test_no_network_says_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(RefbenchError, match=r"cannot be reached[\s\S]*https://doi\.org/10\.6084"):
        fetch_london(tmp_path / "london", "http://no-such-host.invalid/v2")


def test_the_command(web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ARTICLE.endswith("/5047666/versions/5")
    article = publish(web, NEUTRAL, SMILING)
    monkeypatch.setattr(inspect.unwrap(fetch_london), "__defaults__", (article,))
    done = CliRunner().invoke(app, ["fetch", "london", "--out", str(tmp_path / "l"), "--json"])
    assert json.loads(done.stdout)["photos"] == 4
    assert isinstance(CliRunner().invoke(app, ["fetch", "paris"]).exception, RefbenchError)
