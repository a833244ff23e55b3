"""A site on disk: the same inputs give the same bytes, and a list says what belongs to it."""

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
    """Collects the files of a site in ``root``; `finish` removes what an earlier publication left over.

    ``made`` maps a file's address to the fingerprint of what it was made of (pictures) or to the hash of
    its bytes (everything else); it is kept in ``site.json``.
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
        manifest = root / MANIFEST
        if manifest.is_file():
            try:
                return cls(root, dict(json.loads(manifest.read_text("utf-8"))["files"]))
            except (ValueError, KeyError, TypeError) as error:
                raise InvalidInputError(
                    f"{manifest} is damaged ({error}); publish into a new folder"
                ) from None
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise InvalidInputError(
                f"{root} holds files that are not a site made here; publish into a new or empty folder"
            )
        root.mkdir(parents=True, exist_ok=True)
        # The list comes first as well as last, so that a killed run can be taken up again.
        write_json(manifest, {"files": {}})
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
        """Write a file that is costly to make, unless it was made of the same things before."""
        self.made[address] = fingerprint
        path = self.root / address
        if not (self.before.get(address) == fingerprint and path.is_file()):
            write_bytes(path, make())

    def asset(self, name: str) -> None:
        """Write one of the bundled assets below ``assets/``."""
        self.data(f"assets/{name}", asset(name))

    def finish(self) -> None:
        """Remove files of an earlier publication that are no longer part of the site, and write the list."""
        for address in self.before.keys() - self.made.keys():
            (self.root / address).unlink(missing_ok=True)
            for folder in (self.root / address).parents:
                if folder == self.root or not folder.is_dir() or any(folder.iterdir()):
                    break
                folder.rmdir()
        write_json(self.root / MANIFEST, {"files": self.made})
