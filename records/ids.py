"""Versioned ids ``name@version``, as recipes and models are named by in records, and names of LQ folders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from ..errors import RefbenchError

SEPARATOR = "@"
SEEDED = re.compile(r"(.+)(?::|\.seed-)(\d+)")


@dataclass(frozen=True, slots=True, order=True)
class VersionedId:
    """A name and a version: ``refldm-moderate@1`` is version ``1`` of ``refldm-moderate``.

    Attributes:
        name: never empty, without ``@``.
        version: everything after the first ``@``; empty where the id has none.
    """

    name: str
    version: str = ""

    def __post_init__(self) -> None:
        """Refuse a name that could not be read again.

        Raises:
            RefbenchError: the name is empty or holds ``@``.
        """
        if not self.name or SEPARATOR in self.name:
            raise RefbenchError(f"{str(self)!r} is not an id: wanted NAME or NAME@VERSION")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The id that ``text`` spells; ``str`` of it gives ``text`` again, without an ``@`` at its end.

        Raises:
            RefbenchError: nothing stands before the ``@``.
        """
        name, _, version = text.partition(SEPARATOR)
        return cls(name, version)

    def __str__(self) -> str:
        """``name@version``, or ``name`` where there is no version."""
        return f"{self.name}{SEPARATOR}{self.version}" if self.version else self.name


def recipe_and_seed(text: str) -> tuple[str, int | None]:
    """``RECIPE:N``, or ``RECIPE.seed-N``, as (RECIPE, N); any other text as (text, None)."""
    found = SEEDED.fullmatch(text)
    return (found[1], int(found[2])) if found else (text, None)


def lq_folder_name(recipe: str, seed: int | None = None) -> str:
    """Name of the folder of LQ images: the recipe's for seed 0, ``RECIPE.seed-N`` for any other seed.

    Args:
        recipe: name of a recipe, or ``RECIPE:N`` with a seed.
        seed: in place of that in ``recipe``.
    """
    name, said = recipe_and_seed(recipe)
    chosen = said if seed is None else seed
    return f"{name}.seed-{chosen}" if chosen else name
