"""Load a recipe: by its bundled name or id, from a YAML file, or from a Python module."""

from __future__ import annotations

from pathlib import Path

from ...errors import FaultListError, RefbenchError, UnreadableTextError
from ...records.ids import VersionedId
from ...text_files import read_text
from ...user_code import import_object
from ..operations.registry import nearest
from .bundled import OLD_VERSIONS, RECIPES
from .recipe import Recipe
from .severity import parse_severity


def bundled(name: str) -> Recipe | None:
    """The bundled recipe of that name, ``severity-LEVEL`` included; None if there is none."""
    return RECIPES.get(name) or parse_severity(name)


def load_recipe(recipe: str | Path) -> Recipe:
    """Load a recipe.

    Args:
        recipe: a bundled name or id (``refldm-severe``, ``severity-0.4@1``), a YAML file (``mine.yaml``), or
            a `Recipe` in a Python module that is installed or in the working folder (``my_recipes:FILM``).

    Raises:
        RefbenchError: no such recipe, with the most similar name; or a file or object that is not a recipe.
    """
    text = str(recipe)
    if text.endswith((".yaml", ".yml")):
        try:
            read = Recipe.from_yaml(read_text(Path(recipe)))
        except UnreadableTextError as error:
            raise RefbenchError(f"{recipe}: {error.reason}") from None
        except FaultListError as error:
            raise FaultListError(f"{recipe}, {error.subject}", error.faults) from None
        except RefbenchError as error:
            raise RefbenchError(f"{recipe}: {error}") from None
        known = OLD_VERSIONS.get(read.id) or bundled(read.name)
        if known and known.fingerprint != read.fingerprint:
            raise RefbenchError(
                f"{recipe}: {read.name} is a bundled recipe with other steps; choose another name"
            )
        return read
    if ":" in text:
        return _from_module(text)
    if text in OLD_VERSIONS:
        return OLD_VERSIONS[text]
    wanted = VersionedId.parse(text)
    found = bundled(wanted.name)
    if found is None:
        hint = f"{nearest(wanted.name, RECIPES)} (the file of a custom recipe ends in .yaml)"
        raise RefbenchError(f"no recipe is called {wanted.name!r}; {hint}")
    if wanted.version not in ("", str(found.version)):
        raise RefbenchError(f"{wanted.name} has version {found.version} here, not {wanted.version}")
    return found


def _from_module(text: str) -> Recipe:
    found = import_object(text, "write MODULE:NAME of a Recipe")
    if not isinstance(found, Recipe):
        raise RefbenchError(f"{text} is a {type(found).__name__}, not a Recipe")
    return found
