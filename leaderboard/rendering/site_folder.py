"""A site on disk: its files and their list (``site.json``); the same inputs give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InvalidInputError
from ...files import sha256_bytes, write_bytes, write_json
from ...folder_lock import has_files
from .assets import asset

MANIFEST = "site.json"
UNFINISHED = ".site.unfinished.json"
"""The list of the publication before, or an empty one, while the site is being written."""


@dataclass
class Site:
    """Writes the files of a site into ``root``; `finish` removes those of an earlier publication.

    Attributes:
        root: folder of the site.
        before: the files of the earlier publication, as in ``made``.
        made: by address, the hash of a file's bytes, or the fingerprint of a picture's source and settings;
            kept in ``site.json``, which is written last: a folder without it is not a whole site.
    """

    root: Path
    before: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    _since: float | None = None

    @classmethod
    def open(cls, root: Path) -> Site:
        """Open a folder for publishing; until `finish` it has no ``site.json``.

        Raises:
            InvalidInputError: the folder holds files and is not a site made here.
        """
        unfinished = root / UNFINISHED
        try:
            if (root / MANIFEST).is_file():
                before = site_files(root)
                (root / MANIFEST).replace(unfinished)
                return cls(root, before)
            if unfinished.is_file():
                return cls(root, site_files(root, UNFINISHED), _since=unfinished.stat().st_mtime)
        except ValueError as error:
            raise InvalidInputError(f"{error}; publish into a new folder") from None
        if root.exists() and (not root.is_dir() or has_files(root)):
            raise InvalidInputError(
                f"{root} holds files that are not a site made here; publish into a new or empty folder"
            )
        root.mkdir(parents=True, exist_ok=True)
        write_json(unfinished, {"files": {}})
        return cls(root)

    def text(self, address: str, content: str) -> None:
        """Write a text file."""
        self.data(address, content.encode("utf-8"))

    def data(self, address: str, content: bytes) -> None:
        """Write a file, unless it already has exactly this content."""
        self.made[address] = sha256_bytes(content)
        if not self._is_kept(address):
            write_bytes(self.root / address, content)

    def keep_or_make(self, address: str, fingerprint: str, make: Callable[[], bytes]) -> None:
        """Write what ``make`` returns, unless the file was written with the same fingerprint before."""
        self.made[address] = fingerprint
        if not self._is_kept(address):
            write_bytes(self.root / address, make())

    def asset(self, name: str) -> None:
        """Write one of the bundled assets below ``assets/``."""
        self.data(f"assets/{name}", asset(name))

    def finish(self) -> None:
        """Remove files of an earlier publication that the site no longer has, and write ``site.json``."""
        for address in self.before.keys() - self.made.keys():
            (self.root / address).unlink(missing_ok=True)
            for folder in (self.root / address).parents:
                if folder == self.root or not folder.is_dir() or any(folder.iterdir()):
                    break
                folder.rmdir()
        write_json(self.root / MANIFEST, {"files": self.made})
        (self.root / UNFINISHED).unlink(missing_ok=True)

    def _is_kept(self, address: str) -> bool:
        """Whether the file is that of the publication before; a killed run may have written it anew since."""
        path = self.root / address
        if self.before.get(address) != self.made[address] or not path.is_file():
            return False
        return self._since is None or path.stat().st_mtime <= self._since


def site_files(root: Path, name: str = MANIFEST) -> dict[str, str]:
    """The files of a published site, from its ``site.json``: address to hash or fingerprint.

    Raises:
        ValueError: the list is damaged.
    """
    path = root / name
    try:
        return dict(json.loads(path.read_text("utf-8"))["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error})") from None
