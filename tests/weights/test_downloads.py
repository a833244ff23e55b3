"""One file from one address: whole or absent, taken up where it was cut off, faults told in one line."""

from __future__ import annotations

import random
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from refbench import downloads
from refbench.downloads import DownloadError, download
from refbench.errors import RefbenchError

DATA = random.Random(3).randbytes(300_000)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PAUSE", 0.0)


def test_a_file_arrives_whole_and_leaves_nothing_beside_it(web: Any, tmp_path: Path) -> None:
    web.files["/a.bin"] = DATA
    download(f"{web.url}/a.bin", tmp_path / "deep" / "a.bin", size=len(DATA))
    assert (tmp_path / "deep" / "a.bin").read_bytes() == DATA
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.bin"]


def test_a_cut_off_download_asks_for_the_rest_only(web: Any, tmp_path: Path) -> None:
    web.files["/a.bin"] = DATA
    web.cuts["/a.bin"] = [100_000, 50_000]
    download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert [asked for _, _, asked in web.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_run_takes_up_what_an_earlier_one_left(web: Any, tmp_path: Path) -> None:
    web.files["/a.bin"] = DATA
    web.cuts["/a.bin"] = [1000]
    with pytest.raises(DownloadError, match=r"ended after 1000 of 300000 bytes \(1 tries\)"):
        download(f"{web.url}/a.bin", tmp_path / "a.bin", tries=1)
    assert not (tmp_path / "a.bin").exists()
    download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert web.requests[-1][2] == "bytes=1000-"


def test_a_file_that_changed_meanwhile_is_started_over(web: Any, tmp_path: Path) -> None:
    web.files["/a.bin"] = DATA
    web.cuts["/a.bin"] = [1000]
    with pytest.raises(DownloadError):
        download(f"{web.url}/a.bin", tmp_path / "a.bin", tries=1)
    web.files["/a.bin"] = DATA[::-1]
    download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA[::-1]


def test_a_weak_etag_is_no_ground_for_resuming(web: Any, tmp_path: Path) -> None:
    """RFC 9110, 13.1.5: If-Range needs a strong validator, as a weak one stays when bytes change."""
    web.files["/a.bin"] = DATA
    web.marks["/a.bin"] = "1"
    web.weak.add("/a.bin")
    web.cuts["/a.bin"] = [1000]
    with pytest.raises(DownloadError):
        download(f"{web.url}/a.bin", tmp_path / "a.bin", tries=1)
    web.files["/a.bin"] = DATA[::-1]
    download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA[::-1]
    assert [asked for _, _, asked in web.requests] == [None, None]


def test_a_server_that_resumes_at_another_place_is_asked_from_the_start(web: Any, tmp_path: Path) -> None:
    web.files["/a.bin"] = DATA
    web.cuts["/a.bin"] = [1000]
    web.skips["/a.bin"] = [7]
    download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert [asked for _, _, asked in web.requests] == [None, "bytes=1000-", None]


def test_what_another_address_left_is_not_mixed_in(web: Any, tmp_path: Path) -> None:
    web.files |= {"/a.bin": DATA, "/b.bin": DATA[::-1]}
    web.marks |= {"/a.bin": "1", "/b.bin": "1"}
    web.cuts["/a.bin"] = [1000]
    with pytest.raises(DownloadError):
        download(f"{web.url}/a.bin", tmp_path / "x.bin", tries=1)
    download(f"{web.url}/b.bin", tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == DATA[::-1]


def test_redirects_are_followed(web: Any, tmp_path: Path) -> None:
    web.files["/real.bin"] = DATA
    web.redirects["/a.bin"] = f"{web.url}/real.bin"
    web.cuts["/real.bin"] = [9]
    download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert web.requests[-1] == ("GET", "/real.bin", "bytes=9-")


def test_a_busy_server_is_asked_again(web: Any, tmp_path: Path) -> None:
    web.files["/a.bin"] = DATA
    web.statuses["/a.bin"] = [503, 429]
    download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_missing_file_is_one_line_and_not_asked_for_again(web: Any, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"^HTTP 404 Not Found$"):
        download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert len(web.requests) == 1
    assert not any(tmp_path.iterdir())


def test_a_web_page_in_the_file_s_place_is_refused(web: Any, tmp_path: Path) -> None:
    web.files["/a.bin"] = b"<html>please log in</html>"
    web.types["/a.bin"] = "text/html"
    with pytest.raises(DownloadError, match="a web page instead of the file"):
        download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert not any(tmp_path.iterdir())


def test_another_size_than_expected_is_refused_before_it_is_loaded(web: Any, tmp_path: Path) -> None:
    web.files["/a.bin"] = DATA
    with pytest.raises(DownloadError, match="offers 300000 bytes where 5 were expected"):
        download(f"{web.url}/a.bin", tmp_path / "a.bin", size=5)
    assert not any(tmp_path.iterdir())


def test_no_network_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="cannot be reached") as caught:
        download("http://no-such-host.invalid/a.bin", tmp_path / "a.bin")
    assert "\n" not in str(caught.value)
    with pytest.raises(DownloadError, match="cannot be reached"):
        download("http://127.0.0.1:9/a.bin", tmp_path / "a.bin")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "a.bin", ""])
def test_only_web_addresses_are_opened(address: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="not an http or https address"):
        download(address, tmp_path / "a.bin")


def test_a_full_disk_stops_before_anything_is_written(
    web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.files["/a.bin"] = DATA
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
    with pytest.raises(RefbenchError, match=r"0\.3 MB are needed and 0\.0 MB are free") as caught:
        download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert not isinstance(caught.value, DownloadError)
    assert not any(tmp_path.iterdir())


def test_ctrl_c_keeps_what_has_come(web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.files["/a.bin"] = DATA
    monkeypatch.setattr(downloads, "CHUNK", 1000)
    real, seen = downloads._pour, []

    def interrupted(response: Any, partial: Path, have: int, *, advance: Any) -> int:
        def stop_at_the_third(count: int) -> None:
            seen.append(count)
            if len(seen) == 4:
                raise KeyboardInterrupt

        return real(response, partial, have, advance=stop_at_the_third)

    monkeypatch.setattr(downloads, "_pour", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download(f"{web.url}/a.bin", tmp_path / "a.bin")
    monkeypatch.setattr(downloads, "_pour", real)
    assert not (tmp_path / "a.bin").exists()
    download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert web.requests[-1][2] == "bytes=3000-"
