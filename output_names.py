"""Names of other tools' output files, such as ``KEY_00.png``: a pattern for the key, given or guessed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from .errors import InvalidInputError

KEY = "{key}"
SUFFIX = ".png"


@dataclass(frozen=True, slots=True)
class OutputNames:
    """Files named ``PREFIX KEY SUFFIX.png``, without the blanks.

    Attributes:
        prefix: before the key.
        suffix: behind the key, without ``.png``.
    """

    prefix: str = ""
    suffix: str = ""

    @classmethod
    def parse(cls, pattern: str) -> Self:
        """The names that a pattern says, such as ``{key}_00.png``; ``.png`` may be left out.

        Raises:
            InvalidInputError: not exactly one ``{key}``, another suffix of files, or a folder.
        """
        prefix, found, suffix = pattern.removesuffix(SUFFIX).partition(KEY)
        if not found or KEY in suffix or set("/\\{}") & set(prefix + suffix):
            raise InvalidInputError(
                f"wanted names with one {KEY} and no folder, such as '{KEY}_00.png'; got {pattern!r}"
            )
        return cls(prefix, suffix)

    def key_of(self, stem: str) -> str | None:
        """The key in a file's name without ``.png``; None for a name of another form."""
        end = len(stem) - len(self.suffix)
        fits = stem.startswith(self.prefix) and stem.endswith(self.suffix) and end > len(self.prefix)
        return stem[len(self.prefix) : end] if fits else None

    def __str__(self) -> str:
        """The pattern."""
        return f"{self.prefix}{KEY}{self.suffix}{SUFFIX}"


KEY_PNG = OutputNames()


def guess_names(stems: Collection[str], keys: Collection[str]) -> OutputNames | None:
    """The one form in which every file is named by a key; None where there is none, or a file is named KEY.

    Args:
        stems: names of the files without ``.png``.
        keys: of the set.
    """
    known = set(keys)
    if not stems or known.intersection(stems):
        return None
    some = min(stems)
    for key in sorted((key for key in known if key in some), key=lambda key: (-len(key), key)):
        at = some.index(key)
        names = OutputNames(some[:at], some[at + len(key) :])
        if all(names.key_of(stem) in known for stem in stems):
            return names
    return None


def guess_note(names: OutputNames, count: int) -> str:
    """What a guess is told as: ``all 43 files end in _00, so they are read as {key}_00.png``."""
    parts = [f"begin with {names.prefix}"] if names.prefix else []
    parts += [f"end in {names.suffix}"] if names.suffix else []
    files = f"all {count} files" if count > 1 else "the one file"
    if count == 1:
        parts = [part.replace("begin ", "begins ").replace("end ", "ends ") for part in parts]
    return f"{files} {' and '.join(parts)}, so {'they are' if count > 1 else 'it is'} read as {names}"
