"""A submission: restored images named by key, and the card of the model that made them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ...errors import FaultListError, RefbenchError
from ...files import sha256_json
from ...progress import track
from ...records.card import CARD_NAME, Card, read_card, write_card
from ...records.reference_set import ReferenceSet
from .archives import Limits, is_archive, unpack
from .faults import FaultBook, Kind
from .png_check import inspect_png

__all__ = ["Checked", "Submission", "check_submission", "read_submission", "write_card"]

IGNORED = frozenset({".ds_store", "thumbs.db", "desktop.ini", "__macosx"})
COMPANIONS = frozenset(
    {CARD_NAME, "training_hashes.txt", "training_embeddings.npz", "times.parquet", "restore.json"}
)

NO_CARD = Kind(f"there is no {CARD_NAME}", "make one with: refbench submission new FOLDER")
NO_IMAGES = Kind("there is no KEY.png at all", "put one PNG per key beside the card, named KEY.png")
LINK = Kind("a link", "put the file itself there")
SUBFOLDER = Kind("in a folder of its own", "put all images beside the card")
EXTRA = Kind("neither a KEY.png nor the card", "leave it out")
ARCHIVE_INSIDE = Kind("an archive inside the submission", "unpack it")
SUFFIX = Kind("the suffix is not .png in lower case", "rename it to KEY.png, and make sure that it is a PNG")
COLLISION = Kind(
    "names that differ only in the case of letters", "keep one; some disks hold only one of them"
)
UNKNOWN_KEY = Kind("not a key of this set", "leave it out; is this another set or split?")
MISSING = Kind("the restored image is missing", "restore it; a submission with holes is shown but not ranked")
SIZE = Kind("of another size than the set's image", "save it at the size of the HQ image")


@dataclass(frozen=True)
class Submission:
    """A submission at hand.

    Attributes:
        root: the folder that holds it; for an archive, a private folder that lives as long as this object.
        card: what the team says.
        images: path of the restored image by key.
    """

    root: Path
    card: Card
    images: Mapping[str, Path]
    _private: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Checked:
    """What a check found: the submission (None where it cannot be read at all), and every fault and note."""

    submission: Submission | None
    faults: tuple[str, ...]
    notes: tuple[str, ...]


def read_submission(path: Path, limits: Limits | None = None) -> Submission:
    """Read a submission from a folder, a zip or a tar. Nothing is written outside a private folder.

    Raises:
        FaultListError: every fault of the submission as such (card, names, formats) at once. Whether its keys
            and sizes fit a set is what `check_submission` tells.
        RefbenchError: there is nothing at ``path``.
    """
    checked = check_submission(path, limits=limits, look_inside=False)
    if checked.faults or checked.submission is None:
        raise FaultListError(
            str(path), checked.faults, "check again with: refbench submission check SUBMISSION"
        )
    return checked.submission


def check_submission(
    path: Path,
    reference_set: ReferenceSet | None = None,
    split: str = "test",
    *,
    limits: Limits | None = None,
    look_inside: bool = True,
    allow_missing: bool = False,
) -> Checked:
    """Check a submission, offline and with the scorer's own rules, and tell every fault at once.

    With ``reference_set`` the keys and sizes must fit the targets of ``split`` that have references.
    ``look_inside`` verifies every image to its last byte; otherwise names and the card are checked. With
    ``allow_missing`` an absent image is a note and no fault.

    Raises:
        RefbenchError: there is nothing at ``path``.
    """
    if not path.exists():
        raise RefbenchError(f"{path}: there is no such folder or archive")
    book, notes = FaultBook(), FaultBook()
    private = None
    root = path
    if not path.is_dir():
        if not is_archive(path):
            raise RefbenchError(f"{path} is neither a folder, a zip nor a tar")
        private = tempfile.TemporaryDirectory(prefix="refbench-submission-")
        root = Path(private.name)
        unpack(path, root, book, limits=limits or Limits())
    root = _inner_root(root)
    images = _find_images(root, book, notes)
    card = _card(root, book)
    if reference_set is not None:
        _match_keys(images, reference_set, split, book=book, absent=notes if allow_missing else book)
    if look_inside:
        _look_inside(images, reference_set, book)
    submission = Submission(root, card, images, private) if card is not None and images else None
    return Checked(submission, book.lines(), notes.lines())


def _inner_root(root: Path) -> Path:
    """The only folder inside ``root`` where an archive wraps everything in one, else ``root``."""
    inside = [entry for entry in root.iterdir() if not _is_ignored(entry.name)]
    wrapped = len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink()
    return inside[0] if wrapped else root


def _is_ignored(name: str) -> bool:
    return name.lower() in IGNORED or name.startswith("._")


def _find_images(root: Path, book: FaultBook, notes: FaultBook) -> dict[str, Path]:
    images: dict[str, Path] = {}
    seen: dict[str, str] = {}
    for entry in sorted(root.iterdir(), key=lambda entry: entry.name):
        name = entry.name
        if _is_ignored(name) or name in COMPANIONS or name.endswith(".part"):
            continue
        suffix = PurePosixPath(name).suffix
        if entry.is_symlink() and not _stays_inside(entry, root):
            book.add(LINK, name)
        elif entry.is_dir():
            has_images = next(entry.rglob("*.png"), None) is not None
            (book if has_images else notes).add(SUBFOLDER if has_images else EXTRA, f"{name}/")
        elif suffix == ".png":
            if seen.setdefault(name.casefold(), name) != name:
                book.add(COLLISION, f"{seen[name.casefold()]} and {name}")
            images[name.removesuffix(".png")] = entry
        elif suffix.lower() in {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"}:
            book.add(SUFFIX, name)
        elif suffix.lower() in {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"}:
            book.add(ARCHIVE_INSIDE, name)
        else:
            notes.add(EXTRA, name)
    if not images:
        book.add(NO_IMAGES)
    return images


def _stays_inside(link: Path, root: Path) -> bool:
    return link.resolve().is_relative_to(root.resolve())


def _card(root: Path, book: FaultBook) -> Card | None:
    path = root / CARD_NAME
    if not path.is_file():
        book.add(NO_CARD)
        return None
    try:
        return read_card(path)
    except FaultListError as error:
        for fault in error.faults:
            book.add(Kind(f"{CARD_NAME}: {fault}", "fix the card"))
        return None


def _match_keys(
    images: Mapping[str, Path], reference_set: ReferenceSet, split: str, *, book: FaultBook, absent: FaultBook
) -> None:
    wanted = {target.key for target in reference_set.select(split)}
    for key in sorted(wanted - images.keys()):
        absent.add(MISSING, key)
    for key in sorted(images.keys() - wanted):
        book.add(UNKNOWN_KEY, key)


def _look_inside(images: Mapping[str, Path], reference_set: ReferenceSet | None, book: FaultBook) -> None:
    sizes = {t.key: (t.width, t.height) for t in reference_set.targets} if reference_set else {}
    for key, path in track("checking images", images.items(), len(images)):
        finding = inspect_png(path)
        for kind, detail in finding.faults:
            book.add(kind, path.name, detail)
        wanted = sizes.get(key)
        if wanted and finding.width and (finding.width, finding.height) != wanted:
            book.add(SIZE, path.name, f"{finding.width}x{finding.height}, wanted {wanted[0]}x{wanted[1]}")


def submission_hash(digests: Mapping[str, str], keys: Iterable[str]) -> str:
    """What a record calls ``submission_hash``: over the SHA-256 of those keys' images, absent ones too."""
    return sha256_json([[key, digests.get(key, "")] for key in sorted(keys)])
