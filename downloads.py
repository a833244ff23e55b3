"""HTTP downloads of single files: resumable, atomic, with errors of one line."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RefbenchError
from .files import CHUNK, write_json
from .progress import Advance, progress

if TYPE_CHECKING:
    from http.client import HTTPResponse

TIMEOUT = 30.0
PAUSE = 1.0
MEGABYTE = 1_000_000


class DownloadError(RefbenchError):
    """A download that failed. The message is one line, made to follow the name of the source."""


def download(url: str, target: Path, size: int | None = None, *, tries: int = 3) -> None:
    """Download ``url`` to ``target``, which appears only when it is complete.

    An incomplete file is kept beside ``target`` with the server's strong ETag or Last-Modified. The next try,
    also of a later run, asks for the missing bytes only (RFC 9110, Range with If-Range), and starts over if
    the file has changed on the server. A weak ETag is not used: RFC 9110 does not allow it in If-Range.

    Args:
        url: http or https; redirects are followed, but never from https to http.
        target: the file to write.
        size: expected size in bytes; None where it is unknown.
        tries: how often a broken connection is tried before giving up.

    Raises:
        DownloadError: the file cannot be downloaded from ``url``.
        RefbenchError: the disk is full or cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    for attempt in range(1, tries + 1):
        try:
            _take_up(url, partial, size)
        except _BrokenOffError as broken:
            if attempt == tries:
                raise DownloadError(f"{broken} ({tries} tries)") from broken
            time.sleep(PAUSE * attempt)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                _forget(partial)
            raise RefbenchError(f"{partial.parent}: cannot be written ({error.strerror})") from error
        else:
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            partial.replace(target)
            _forget(partial)
            return


def reach(url: str) -> None:
    """Raise `DownloadError` unless a server answers at ``url``, with any HTTP status."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    try:
        urlopen(Request(url, method="HEAD"), timeout=TIMEOUT).close()
    except HTTPError as answer:
        answer.close()
    except URLError as error:
        raise DownloadError(f"cannot be reached ({_reason(error.reason)})") from error
    except OSError as error:
        raise DownloadError(f"cannot be reached ({_reason(error)})") from error


class _BrokenOffError(Exception):
    """A connection that failed or ended early: worth another try."""


def _take_up(url: str, partial: Path, size: int | None) -> None:
    have, validator = _kept(url, partial)
    response = _open(url, have, validator)
    with response:
        if response.status == 206 and have and _starts_at(response) != have:
            _forget(partial)
            raise _BrokenOffError("the server resumed at another place than asked")
        if response.status == 200:
            have = 0
        if have == 0:
            _forget(partial)
        length = response.headers.get("Content-Length")
        total = have + int(length) if length is not None and length.isdigit() else None
        if size is not None and total is not None and total != size:
            _forget(partial)
            raise DownloadError(f"offers {total} bytes where {size} were expected")
        if response.headers.get_content_type() == "text/html":
            raise DownloadError("answered with a web page instead of the file")
        total = total if total is not None else size
        _make_room(partial, total - have if total is not None else 0)
        write_json(_note(partial), {"url": url, "validator": _validator(response)})
        label = partial.name.removeprefix(".").removesuffix(".part")
        large = (total or 0) >= MEGABYTE
        shown = progress(f"{label} (MB)", (total or 0) // MEGABYTE) if large else nullcontext(_unseen)
        with shown as advance:
            have = _pour(response, partial, have, advance=advance)
    if total is not None and have < total:
        raise _BrokenOffError(f"the connection ended after {have} of {total} bytes")


def _unseen(count: int) -> None:
    """Progress of a small file: none is shown."""


def _pour(response: HTTPResponse, partial: Path, have: int, *, advance: Advance) -> int:
    advance(have // MEGABYTE)
    with partial.open("ab") as stream:
        while True:
            try:
                chunk = response.read(CHUNK)
            except (OSError, _http_exceptions()) as error:
                raise _BrokenOffError(
                    f"the connection broke after {have} bytes ({_reason(error)})"
                ) from error
            if not chunk:
                return have
            stream.write(chunk)
            advance((have + len(chunk)) // MEGABYTE - have // MEGABYTE)
            have += len(chunk)


def _open(url: str, have: int, validator: str | None) -> HTTPResponse:
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    from .version import __version__

    if not url.startswith(("http://", "https://")):
        raise DownloadError("is not an http or https address")
    headers = {"User-Agent": f"refbench/{__version__}", "Accept-Encoding": "identity"}
    if have and validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code in (429, 500, 502, 503, 504) or (error.code == 416 and have):
            raise _BrokenOffError(f"HTTP {error.code} {error.reason}") from error
        raise DownloadError(f"HTTP {error.code} {error.reason}") from error
    except URLError as error:
        if _is_lookup(error.reason):
            raise DownloadError(f"cannot be reached ({_reason(error.reason)})") from error
        raise _BrokenOffError(f"cannot be reached ({_reason(error.reason)})") from error
    except (OSError, _http_exceptions(), ValueError) as error:
        raise _BrokenOffError(f"cannot be reached ({_reason(error)})") from error
    if url.startswith("https:") and not response.url.startswith("https:"):
        response.close()
        raise DownloadError("redirects from https to an address that is not")
    return response


def _http_exceptions() -> type[Exception]:
    from http.client import HTTPException

    return HTTPException


def _is_lookup(reason: object) -> bool:
    from socket import gaierror
    from ssl import SSLCertVerificationError

    return isinstance(reason, gaierror | SSLCertVerificationError)


def _reason(error: object) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()


def _starts_at(response: HTTPResponse) -> int:
    text = (response.headers.get("Content-Range") or "").removeprefix("bytes ").partition("-")[0]
    return int(text) if text.isdigit() else -1


def _validator(response: HTTPResponse) -> str | None:
    etag: str | None = response.headers.get("ETag")
    strong = etag if etag and not etag.startswith("W/") else None
    return strong or response.headers.get("Last-Modified")


def _note(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _kept(url: str, partial: Path) -> tuple[int, str | None]:
    """Size of the file that can be resumed, and the server's validator for it; (0, None) for none."""
    try:
        note: dict[str, Any] = json.loads(_note(partial).read_text("utf-8"))
        if note["url"] == url and note["validator"]:
            return partial.stat().st_size, str(note["validator"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0, None


def _forget(partial: Path) -> None:
    for file in (partial, _note(partial)):
        with suppress(FileNotFoundError):
            file.unlink()


def _make_room(partial: Path, wanted: int) -> None:
    free = shutil.disk_usage(partial.parent).free
    if wanted > free:
        raise RefbenchError(f"{partial.parent}: {_mb(wanted)} are needed and {_mb(free)} are free")


def _mb(count: int) -> str:
    return f"{count / MEGABYTE:.1f} MB"
