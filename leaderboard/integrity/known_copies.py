"""Cache of the comparisons for copies: by the content of the images, kept outside of the site."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...files import sha256_json, write_json, write_text

SCHEMA_VERSION = 1
FILE_NAME = "copies.json"


@dataclass
class ImageCopies:
    """What is known about the outputs of one image.

    Attributes:
        source: hash of what the outputs were compared with: HQ, LQ and the references.
        kinds: by the SHA-256 of an output, what it is a copy of; empty for nothing.
        pairs: by the SHA-256 of two outputs in order, whether one is a copy of the other.
    """

    source: str
    kinds: dict[str, str] = field(default_factory=dict)
    pairs: dict[tuple[str, str], bool] = field(default_factory=dict)


@dataclass
class KnownCopies:
    """The comparisons of one track, in a file; those that do not fit what is there now are dropped.

    Attributes:
        path: of the file; None to keep nothing.
        derived_from: hash of the rules of the comparison; a file with another one is not read.
        images: by key of the image.
    """

    path: Path | None
    derived_from: str
    images: dict[str, ImageCopies] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path | None, name: str, rules: Iterable[Any]) -> KnownCopies:
        """Read what is known.

        Args:
            folder: where the files are; None to keep nothing.
            name: of the file: what the comparisons are of.
            rules: every constant that decides what is a copy.
        """
        derived_from = sha256_json([SCHEMA_VERSION, *rules])
        path = folder / name / FILE_NAME if folder is not None else None
        known = cls(path, derived_from)
        if path is not None and path.is_file():
            # A file that is damaged, or of other rules, is as good as none: everything is compared again.
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
                content = json.loads(path.read_text("utf-8"))
                body = content["images"]
                if content["derived_from"] == derived_from and content["content"] == sha256_json(body):
                    known.images = {key: _unpacked(entry) for key, entry in body.items()}
        return known

    def of(self, key: str, source: str) -> ImageCopies:
        """What is known about one image; nothing where it was compared with other HQ, LQ or references."""
        found = self.images.get(key)
        if found is None or found.source != source:
            found = self.images[key] = ImageCopies(source)
        return found

    def write(self) -> None:
        """Write the file; where the folder cannot be written to, nothing is kept."""
        if self.path is None:
            return
        body = {key: _packed(found) for key, found in sorted(self.images.items())}
        content = {"derived_from": self.derived_from, "content": sha256_json(body), "images": body}
        with suppress(OSError):
            folder = self.path.parent.parent
            if not (folder / ".gitignore").exists():
                write_text(folder / ".gitignore", "*\n")
            write_json(self.path, content)


def _packed(found: ImageCopies) -> dict[str, Any]:
    """As JSON: pairs are numbers of outputs."""
    outputs = sorted({*found.kinds, *(output for pair in found.pairs for output in pair)})
    number = {output: place for place, output in enumerate(outputs)}
    pairs: dict[bool, list[list[int]]] = {True: [], False: []}
    for (one, two), is_copy in sorted(found.pairs.items()):
        pairs[is_copy].append([number[one], number[two]])
    return {
        "source": found.source,
        "outputs": outputs,
        "kinds": [found.kinds.get(output) for output in outputs],
        "same": pairs[True],
        "different": pairs[False],
    }


def _unpacked(entry: dict[str, Any]) -> ImageCopies:
    outputs = entry["outputs"]
    kinds = {output: kind for output, kind in zip(outputs, entry["kinds"], strict=True) if kind is not None}
    pairs = {
        (outputs[i], outputs[j]): name == "same" for name in ("same", "different") for i, j in entry[name]
    }
    return ImageCopies(entry["source"], kinds, pairs)
