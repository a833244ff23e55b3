"""Keeping other packages off the network: files are read from the weights folder, and downloads are refused.

pyiqa, its CLIP packages, torch.hub, timm and the Hugging Face libraries download what they miss.
Inside `no_downloads` they find their files in the weights folder; an absent file is an error that names it,
and where to put it. What reaches for the network all the same is stopped by an audit hook of Python.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlparse

import torch

from ...errors import RefbenchError
from ...files import sha256_file
from ...weights import weight_files

CLIP_MODULES = ("clip.clip", "pyiqa.archs.clip_model", "pyiqa.archs.afineclip_model")
"""Modules with a ``_download(url, folder)`` of OpenAI's CLIP, whose addresses hold the file's SHA-256."""
NETWORK_EVENTS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"})
_switches_lock = threading.Lock()
_thread = threading.local()
_hook_installed = False


@contextmanager
def no_network(who: str) -> Iterator[None]:
    """Stop every connection that Python code of this thread opens inside the ``with`` block.

    Args:
        who: what runs inside, for the message.

    Raises:
        RefbenchError: something was about to be fetched; the message says what.
    """
    global _hook_installed
    if not _hook_installed:
        sys.addaudithook(_refuse_connections)
        _hook_installed = True
    before = getattr(_thread, "who", "")
    _thread.who = who
    try:
        yield
    finally:
        _thread.who = before


def _refuse_connections(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in NETWORK_EVENTS:
        return
    if who := getattr(_thread, "who", ""):
        if event == "urllib.Request":
            raise missing(str(arguments[0]))
        where = arguments[1] if event == "socket.connect" else arguments[0]
        raise RefbenchError(f"{who}: a file of it is missing, and nothing is downloaded here (from {where})")


def missing(url: str, path: Path | None = None) -> RefbenchError:
    """The error for a file that would be downloaded: its name, its address and where to put it."""
    name = Path(urlparse(url).path).name
    place = path or weight_files.folder() / name
    return RefbenchError(f"{name} is missing, and nothing is downloaded here; put {url} at {place}")


@contextmanager
def no_downloads(who: str = "pyiqa") -> Iterator[list[Path]]:
    """Let pyiqa and what it uses read the weights folder, and not the network.

    Yields the list that collects the files as they are asked for.

    Raises:
        RefbenchError: something was about to be downloaded; the message says what, and where to put it.
    """
    asked: list[Path] = []
    with _switches_lock, _pkg_resources(), no_network(who):
        switches = _switches(asked)
        before = [getattr(owner, name) for owner, name, _ in switches]
        for owner, name, value in switches:
            setattr(owner, name, value)
        try:
            yield asked
        finally:
            for (owner, name, _), value in zip(switches, before, strict=True):
                setattr(owner, name, value)


def _switches(asked: list[Path]) -> list[tuple[Any, str, Any]]:
    """Object, attribute and value of everything that is set while downloads are off."""
    import huggingface_hub.constants as hub
    import pyiqa.utils.download_util as downloads

    def note(url: str) -> Any:
        asked.append(weight_files.folder() / Path(urlparse(url).path).name)
        return urlparse(url)

    def refuse(url: str, target: str, *_: object, **__: object) -> None:
        raise missing(url, Path(target))

    def refuse_drive(file_id: str, save_path: str) -> None:
        raise missing(f"https://drive.google.com/uc?id={file_id}", Path(save_path))

    def clip_file(url: str, folder: str) -> str:
        name, wanted = Path(urlparse(url).path).name, url.split("/")[-2]
        for path in (weight_files.folder() / name, Path(folder) / name):
            if path.is_file():
                if sha256_file(path) != wanted:
                    raise RefbenchError(f"{path} is not the file of {url}: its SHA-256 is another")
                asked.append(path)
                return str(path)
        raise missing(url)

    switches: list[tuple[Any, str, Any]] = [
        (downloads, "DEFAULT_CACHE_DIR", str(weight_files.folder())),
        (downloads, "urlparse", note),
        (downloads, "download_url_to_file", refuse),
        (downloads, "download_file_from_google_drive", refuse_drive),
        (torch.hub, "download_url_to_file", refuse),
        (hub, "HF_HUB_OFFLINE", True),
    ]
    for name in CLIP_MODULES:
        if (module := _imported(name)) is not None:
            switches.append((module, "_download", clip_file))
    if (timm := _imported("timm.models._hub")) is not None:
        fetch = timm.hf_hub_download

        def from_hub(repo_id: str, filename: str, *given: Any, **named: Any) -> Any:
            try:
                return fetch(repo_id, filename, *given, **named)
            except Exception:
                reason = f"{filename} of {repo_id} is missing in the Hugging Face cache"
                raise RefbenchError(
                    f"{reason}, and nothing is downloaded here; get it with: hf download {repo_id} {filename}"
                ) from None

        switches.append((timm, "hf_hub_download", from_hub))
    return switches


def _imported(name: str) -> Any:
    """A module, or None where its package is absent or cannot be imported."""
    with suppress(Exception):
        return importlib.import_module(name)
    return None


@contextmanager
def _pkg_resources() -> Iterator[None]:
    """Let OpenAI's CLIP be imported where setuptools no longer has ``pkg_resources``, which it asks for."""
    with suppress(ImportError):
        importlib.import_module("pkg_resources")
        yield
        return
    stand_in = ModuleType("pkg_resources")
    stand_in.packaging = importlib.import_module("packaging")  # type: ignore[attr-defined]
    importlib.import_module("packaging.version")
    sys.modules["pkg_resources"] = stand_in
    try:
        yield
    finally:
        sys.modules.pop("pkg_resources", None)
