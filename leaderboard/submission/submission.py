"""Reading and checking a submission: restored images named by key, and the card of the model."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from ...errors import FaultListError, InvalidInputError, RefbenchError
from ...files import StrPath, names_of, paths_by_key, sha256_file, sha256_json
from ...image_files.png_check import inspect_png
from ...names import normal
from ...output_names import OutputNames, guess_names, guess_note
from ...progress import say, track
from ...records.card import CARD_NAME, PLACEHOLDER, Card, read_card
from ...records.record import RECORD_NAME
from ...records.reference_set import ReferenceSet
from .archives import is_archive, unpack
from .faults import FaultKind, FaultLog
from .safe_extract import ArchiveLimits

IGNORED = frozenset({".ds_store", "thumbs.db", "desktop.ini", "__macosx"})
OTHER_FILES = frozenset(
    {CARD_NAME, "training_hashes.txt", "training_embeddings.npz", "times.parquet", "restore.json"}
)

PICTURES = frozenset({".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".jxl"})
ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"})

NO_CARD = FaultKind(f"there is no {CARD_NAME}", "make one with: refbench submission new FOLDER")
NO_IMAGES = FaultKind("there is no KEY.png at all", "put one PNG per key beside the card, named KEY.png")
LINK = FaultKind("a link", "put the file itself there")
SUBFOLDER = FaultKind("in a subfolder", "put all images beside the card")
EXTRA = FaultKind("neither a KEY.png nor the card", "leave it out")
ARCHIVE_INSIDE = FaultKind("an archive inside the submission", "unpack it")
SUFFIX = FaultKind(
    "the suffix is not .png in lower case", "rename it to KEY.png, and make sure that it is a PNG"
)
COLLISION = FaultKind(
    "names that differ only in the case of letters", "keep one; some disks hold only one of them"
)
LOSSY = FaultKind("not a PNG", "save the restorer's output as PNG: another format changes the scores")
NOT_FILLED_IN = FaultKind(
    f"{CARD_NAME}: the model is still {PLACEHOLDER!r}", "fill in the card with the name of your model"
)
UNKNOWN_KEY = FaultKind("not a key of this set", "leave it out; is this another set or split?")
MISSING = FaultKind(
    "the restored image is missing", "restore it; an incomplete submission is shown but not ranked"
)
SIZE = FaultKind("of another size than the set's image", "save it at the size of the HQ image")


@dataclass(frozen=True)
class Submission:
    """A submission: a folder of restored images and its card.

    Attributes:
        root: the folder; for an archive, a temporary folder that is removed together with this object.
        card: what the team states about the model.
        images: path of the restored image (PNG) by key.
    """

    root: Path
    card: Card
    images: Mapping[str, Path]
    _temporary: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Take folder and images as paths."""
        object.__setattr__(self, "root", Path(self.root))
        object.__setattr__(self, "images", paths_by_key(self.images))

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the file of each image, by key."""
        return {key: sha256_file(path) for key, path in self.images.items()}


@dataclass(frozen=True)
class SubmissionCheck:
    """What `check_submission` found.

    Attributes:
        submission: None where it cannot be read at all (no card or no image).
        faults: one line per kind of fault, with how to fix it; empty for a submission that can be scored.
        notes: files that are ignored, and with ``allow_missing`` the images that are missing.
        guess: how the images were taken to be named, which is the first of the notes; empty without a guess.
    """

    submission: Submission | None
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    guess: str = ""


def read_submission(
    path: StrPath, limits: ArchiveLimits | None = None, *, names: str = "", keys: Collection[str] | str = ()
) -> Submission:
    """Read a submission from a folder, a zip or a tar.

    An archive is extracted into a temporary folder; the input is never changed. Keys and sizes are compared
    with a set by `check_submission`, not here, and pixels are not looked at.

    Args:
        path: folder, zip, or tar (plain, gzip, bzip2 or xz).
        limits: of an archive; None for the defaults of `ArchiveLimits`.
        names: how the images are named, such as ``{key}_00.png``; empty for ``KEY.png``, or, where no image
            has the name of a key, a guess, which is told on stderr.
        keys: of the set, for the guess.

    Raises:
        FaultListError: every fault of the card, the names and the archive at once.
        RefbenchError: there is nothing at ``path``, or it is neither a folder nor an archive.
    """
    keys = names_of(keys)
    path = Path(path)
    checked = check_submission(path, limits=limits, check_pixels=False, names=names)
    if checked.faults or checked.submission is None:
        raise FaultListError(
            str(path), checked.faults, "check again with: refbench submission check SUBMISSION"
        )
    named, note = with_keys(checked.submission, () if names else keys)
    if note:
        say(f"{path}: {note}")
    return named


def submission_paths(path: StrPath) -> list[Path]:
    """The submissions at a path: that one itself, or those in the folders (or archives) below it.

    Raises:
        InvalidInputError: the folder is a store of records.
    """
    path = Path(path)
    if not path.is_dir() or (path / CARD_NAME).is_file():
        return [path]
    if next(path.glob(f"*/*/{RECORD_NAME}"), None) is not None:
        raise InvalidInputError(
            f"{path} is a store of records, not a submission; the store comes first: "
            "refbench publish STORE SET SUBMISSION ... --out SITE"
        )
    found = [card.parent for depth in ("*", "*/*") for card in path.glob(f"{depth}/{CARD_NAME}")]
    if not found and next(path.glob("*.png"), None) is None:
        found = [file for file in path.iterdir() if file.is_file() and is_archive(file)]
    return sorted(folder for folder in found if not folder.name.startswith(".")) or [path]


def is_placeholder(card: Card) -> bool:
    """Whether nobody has filled in the card yet."""
    return card.model == PLACEHOLDER


def recipes_of(reference_set: ReferenceSet) -> list[str]:
    """Names of the folders of LQ images that a set has."""
    root = reference_set.root / "lq"
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []


def with_keys(submission: Submission, keys: Collection[str]) -> tuple[Submission, str]:
    """The submission with its images by the keys of a set, and what was guessed; as it is without a guess."""
    guessed = guess_names(submission.images, keys)
    if guessed is None:
        return submission, ""
    images = {key: path for stem, path in submission.images.items() if (key := guessed.key_of(stem))}
    return replace(submission, images=images), guess_note(guessed, len(images))


def read_checked(
    paths: Sequence[Path],
    reference_set: ReferenceSet,
    split: str,
    *,
    allow_missing: bool = False,
    names: str = "",
) -> list[Submission]:
    """Read submissions that are to be scored, after the checks of `check_submission`, pixels included.

    Args:
        paths: folders, zips or tars.
        reference_set, split, allow_missing, names: as for `check_submission`; a guess of names is told.

    Raises:
        FaultListError: every fault of every submission at once, in the words of `submission check`.
        RefbenchError: there is nothing at a path, or it is neither a folder nor an archive.
    """
    checks = [
        check_submission(path, reference_set, split, allow_missing=allow_missing, names=names)
        for path in paths
    ]
    for path, check in zip(paths, checks, strict=True):
        if check.guess:
            say(f"{path}: {check.guess}")
    faulty = [(path, check.faults) for path, check in zip(paths, checks, strict=True) if check.faults]
    fix = f"check again with: refbench submission check {reference_set.root} SUBMISSION"
    if len(faulty) == 1:
        raise FaultListError(str(faulty[0][0]), faulty[0][1], fix)
    if faulty:
        lines = [f"{path}: {fault}" for path, faults in faulty for fault in faults]
        raise FaultListError(f"{len(faulty)} of {len(paths)} submissions", lines, fix)
    return [check.submission for check in checks if check.submission is not None]


def check_submission(
    path: StrPath,
    reference_set: ReferenceSet | None = None,
    split: str = "test",
    *,
    limits: ArchiveLimits | None = None,
    check_pixels: bool = True,
    allow_missing: bool = False,
    names: str = "",
) -> SubmissionCheck:
    """Check a submission offline, by the rules of the scorer, and report every fault at once.

    Args:
        path: folder, zip, or tar (plain, gzip, bzip2 or xz).
        reference_set: keys and sizes must be those of its targets of ``split`` that have references; None
            checks the submission by itself.
        split: ``train``, ``val``, ``test`` or ``all``.
        limits: of an archive; None for the defaults of `ArchiveLimits`.
        check_pixels: verify every PNG to its last byte, and that the card was filled in; otherwise names and
            the fields of the card alone.
        allow_missing: an image that is missing is a note, not a fault.
        names: as for `read_submission`; the guess is among the notes.

    Returns:
        The submission with its faults and notes. A faulty submission raises nothing.

    Raises:
        RefbenchError: there is nothing at ``path``, or it is neither a folder nor an archive.
        InvalidInputError: ``names`` has not exactly one ``{key}``.
    """
    path = Path(path)
    pattern = OutputNames.parse(names) if names else None
    if not path.exists():
        raise RefbenchError(f"{path}: there is no such folder or archive")
    faults, notes = FaultLog(), FaultLog()
    temporary = None
    root = path
    if not path.is_dir():
        if not is_archive(path):
            raise RefbenchError(f"{path} is neither a folder, a zip nor a tar")
        temporary = tempfile.TemporaryDirectory(prefix="refbench-submission-")
        root = Path(temporary.name)
        unpack(path, root, faults, limits=limits or ArchiveLimits())
    root = _inner_root(root)
    images = _find_images(root, faults, notes)
    if pattern is not None:
        images = _named(images, pattern, faults)
    card = _card(root, faults)
    if check_pixels and card is not None and is_placeholder(card):
        faults.add(NOT_FILLED_IN)
    guess = ""
    if reference_set is not None:
        keys = {target.key for target in reference_set.select(split)}
        guessed = None if pattern is not None else guess_names(images, keys)
        if guessed is not None:
            guess = guess_note(guessed, len(images))
            images = _named(images, guessed, faults)
        _match_keys(images, reference_set, split, faults=faults, absent=notes if allow_missing else faults)
    if check_pixels:
        _check_pixels(images, reference_set, faults)
    submission = Submission(root, card, images, temporary) if card is not None and images else None
    return SubmissionCheck(submission, faults.lines(), (*([guess] if guess else []), *notes.lines()), guess)


def _inner_root(root: Path) -> Path:
    """The only folder inside ``root`` if everything is in one folder, else ``root``."""
    inside = [entry for entry in root.iterdir() if not _is_ignored(entry.name)]
    wrapped = len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink()
    return inside[0] if wrapped else root


def _is_ignored(name: str) -> bool:
    return name.lower() in IGNORED or name.startswith("._")


def _find_images(root: Path, faults: FaultLog, notes: FaultLog) -> dict[str, Path]:
    images: dict[str, Path] = {}
    seen: dict[str, str] = {}
    for entry in sorted(root.iterdir(), key=lambda entry: entry.name):
        name = entry.name
        if _is_ignored(name) or name in OTHER_FILES or name.endswith(".part"):
            continue
        suffix = PurePosixPath(name).suffix
        if entry.is_symlink() and not _stays_inside(entry, root):
            faults.add(LINK, name)
        elif entry.is_dir():
            has_images = next(entry.rglob("*.png"), None) is not None
            (faults if has_images else notes).add(SUBFOLDER if has_images else EXTRA, f"{name}/")
        elif suffix == ".png":
            folded = normal(name).casefold()
            if seen.setdefault(folded, name) != name:
                faults.add(COLLISION, f"{seen[folded]} and {name}")
            images[normal(name).removesuffix(".png")] = entry
        elif suffix.lower() == ".png":
            faults.add(SUFFIX, name)
        elif suffix.lower() in PICTURES:
            faults.add(LOSSY, name)
        elif suffix.lower() in ARCHIVES:
            faults.add(ARCHIVE_INSIDE, name)
        else:
            notes.add(EXTRA, name)
    if not images:
        faults.add(NO_IMAGES)
    return images


def _named(images: Mapping[str, Path], names: OutputNames, faults: FaultLog) -> dict[str, Path]:
    """The images by the keys in their names; a name of another form is a fault."""
    found = {}
    for stem, path in images.items():
        key = names.key_of(stem)
        if key is None:
            kind = FaultKind(f"not named {names}", "leave it out, or name the form of all names")
            faults.add(kind, path.name)
        else:
            found[key] = path
    return found


def _stays_inside(link: Path, root: Path) -> bool:
    return link.resolve().is_relative_to(root.resolve())


def _card(root: Path, faults: FaultLog) -> Card | None:
    path = root / CARD_NAME
    if not path.is_file():
        faults.add(NO_CARD)
        return None
    try:
        return read_card(path)
    except FaultListError as error:
        for fault in error.faults:
            faults.add(FaultKind(f"{CARD_NAME}: {fault}", "fix the card"))
        return None


def _match_keys(
    images: Mapping[str, Path], reference_set: ReferenceSet, split: str, *, faults: FaultLog, absent: FaultLog
) -> None:
    wanted = {target.key for target in reference_set.select(split)}
    for key in sorted(wanted - images.keys()):
        absent.add(MISSING, key)
    for key in sorted(images.keys() - wanted):
        faults.add(UNKNOWN_KEY, key)


def _check_pixels(images: Mapping[str, Path], reference_set: ReferenceSet | None, faults: FaultLog) -> None:
    sizes = {t.key: (t.width, t.height) for t in reference_set.targets} if reference_set else {}
    for key, path in track("checking images", images.items(), len(images)):
        finding = inspect_png(path)
        for kind, detail in finding.faults:
            faults.add(kind, path.name, detail)
        wanted = sizes.get(key)
        if wanted and finding.width and (finding.width, finding.height) != wanted:
            faults.add(SIZE, path.name, f"{finding.width}x{finding.height}, wanted {wanted[0]}x{wanted[1]}")


def submission_hash(digests: Mapping[str, str], keys: Iterable[str] | str) -> str:
    """The ``submission_hash`` of a record: SHA-256 over keys and the SHA-256 of their images.

    Args:
        digests: SHA-256 of the image file by key.
        keys: of the benchmark; one without an image counts with an empty digest.
    """
    return sha256_json([[key, digests.get(key, "")] for key in sorted(names_of(keys))])
