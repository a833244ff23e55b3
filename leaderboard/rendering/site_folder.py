"""A site on disk: its files and their list (``site.json``); the same inputs give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InvalidInputError
from ...files import sha256_bytes, write_bytes, write_json
from .assets import asset

MANIFEST = "site.json"


@dataclass
class Site:
    """Writes the files of a site into ``root``; `finish` removes those of an earlier publication.

    Attributes:
        root: folder of the site.
        before: the files of the earlier publication, as in ``made``.
        made: by address, the hash of a file's bytes, or the fingerprint of a picture's source and settings;
            kept in ``site.json``.
    """

    root: Path
    before: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, root: Path) -> Site:
        """Open a folder for publishing.

        Raises:
            InvalidInputError: the folder holds files and is not a site made here.
        """
        if (root / MANIFEST).is_file():
            try:
                return cls(root, site_files(root))
            except ValueError as error:
                raise InvalidInputError(f"{error}; publish into a new folder") from None
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise InvalidInputError(
                f"{root} holds files that are not a site made here; publish into a new or empty folder"
            )
        root.mkdir(parents=True, exist_ok=True)
        # Written first as well as last, so that a killed run can be continued.
        write_json(root / MANIFEST, {"files": {}})
        return cls(root)

    def text(self, address: str, content: str) -> None:
        """Write a text file."""
        self.data(address, content.encode("utf-8"))

    def data(self, address: str, content: bytes) -> None:
        """Write a file, unless it already has exactly this content."""
        self.made[address] = sha256_bytes(content)
        path = self.root / address
        if not (self.before.get(address) == self.made[address] and path.is_file()):
            write_bytes(path, content)

    def keep_or_make(self, address: str, fingerprint: str, make: Callable[[], bytes]) -> None:
        """Write what ``make`` returns, unless the file was written with the same fingerprint before."""
        self.made[address] = fingerprint
        path = self.root / address
        if not (self.before.get(address) == fingerprint and path.is_file()):
            write_bytes(path, make())

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


def site_files(root: Path) -> dict[str, str]:
    """The files of a published site, from its ``site.json``: address to hash or fingerprint.

    Raises:
        ValueError: the list is damaged.
    """
    path = root / MANIFEST
    try:
        return dict(json.loads(path.read_text("utf-8"))["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error})") from None
