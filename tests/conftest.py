"""Fixtures that say clearly what is absent, and the switches of the test suite."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="also run the golden tests on this folder (laid out like tests/golden); may be repeated",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``-m core``, leave out files without core tests: they may import what the core does not have."""
    if config.getoption("markexpr") != "core" or not collection_path.name.startswith("test_"):
        return None
    return "pytest.mark.core" not in collection_path.read_text("utf-8") or None


@pytest.fixture(scope="session")
def golden_dirs(pytestconfig: pytest.Config) -> list[Path]:
    """The committed golden vectors, and every folder named by ``--golden``."""
    named: list[Path] = pytestconfig.getoption("--golden")
    absent = [str(folder) for folder in named if not folder.is_dir()]
    if absent:
        pytest.exit(f"--golden: no such folder: {', '.join(absent)}", returncode=2)
    held = {folder: [*folder.glob("*/config.json"), *folder.glob("degradation.npz")] for folder in named}
    empty = [str(folder) for folder, cases in held.items() if not cases]
    if empty:
        wanted = "*/config.json or degradation.npz, as in tests/golden"
        pytest.exit(f"--golden: no cases ({wanted}) in {', '.join(empty)}", returncode=2)
    return [ROOT / "tests" / "golden", *named]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with ``london/`` and ``lfw.zip``: ``$REFBENCH_SHARED``, or ``../shared/data``."""
    folder = Path(os.environ.get("REFBENCH_SHARED", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real photos are absent ({folder}); name their folder in REFBENCH_SHARED")
    return folder


@pytest.fixture(scope="session")
def london(shared_data: Path) -> Path:
    """The Face Research Lab London Set: ``NNN_1.jpg`` neutral, ``NNN_2.jpg`` smiling."""
    folder = shared_data / "london"
    if not folder.is_dir():
        pytest.skip(f"the London set is absent ({folder})")
    return folder


@pytest.fixture(scope="session")
def need_weights() -> Callable[..., None]:
    """Call with names of the weights table: skips the test, with the command to run, if one is absent."""

    def need(*names: str) -> None:
        from refbench.weights import weight_files

        absent = [name for name in names if weight_files.find(name) is None]
        if absent:
            pytest.skip(f"weights are absent; run: refbench weights fetch {' '.join(absent)}")

    return need


@pytest.fixture(scope="session")
def astronaut() -> npt.NDArray[np.uint8]:
    """One public face, RGB uint8 (512, 512, 3)."""
    from skimage import data

    return np.asarray(data.astronaut(), dtype=np.uint8)


class Web:
    """A web server on this machine, for the code that downloads.

    Serves ``files`` (path to bytes) with ETag, Range and If-Range; ``redirects`` send a path elsewhere;
    ``cuts`` end the answer for a path after so many bytes, once; ``types`` set its Content-Type, ``marks``
    its ETag, which is a weak one for paths in ``weak``. ``skips`` let the server
    resume so many bytes further than asked, once. ``requests`` keeps what was asked for: (method, path, Range
    header).
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.cuts: dict[str, list[int]] = {}
        self.types: dict[str, str] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.marks: dict[str, str] = {}
        self.weak: set[str] = set()
        self.statuses: dict[str, list[int]] = {}
        self.skips: dict[str, list[int]] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.answer(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        asked = handler.headers.get("Range")
        self.requests.append((handler.command, path, asked))
        if path in self.redirects:
            handler.send_response(302)
            handler.send_header("Location", self.redirects[path])
            handler.end_headers()
            return
        if self.statuses.get(path):
            handler.send_error(self.statuses[path].pop(0))
            return
        if path not in self.files:
            handler.send_error(404)
            return
        data = self.files[path]
        mark = f'"{self.marks.get(path) or sha256(data).hexdigest()}"'
        mark = f"W/{mark}" if path in self.weak else mark
        start = 0
        if asked and handler.headers.get("If-Range") in (None, mark):
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            start += self.skips[path].pop(0) if self.skips.get(path) else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.send_header("ETag", mark)
        handler.send_header("Accept-Ranges", "bytes")
        handler.send_header("Content-Type", self.types.get(path, "application/octet-stream"))
        for name, value in self.headers.get(path, {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        if handler.command == "GET":
            cuts = self.cuts.get(path)
            handler.wfile.write(data[start:][: cuts.pop(0)] if cuts else data[start:])


@pytest.fixture
def web() -> Iterator[Web]:
    """A fresh web server with no files."""
    site = Web()
    thread = threading.Thread(target=site.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()
