"""Any recipe by what names it: a bundled name, a YAML file, an object of a Python module."""

from __future__ import annotations

from pathlib import Path

from ...errors import FaultListError, RefbenchError
from ...user_code import import_object
from ..operations.registry import nearest
from .bundled import RECIPES
from .recipe import Recipe
from .severity import severity_named


def bundled(name: str) -> Recipe | None:
    """The bundled recipe of that name, levels of the severity sweep included; None if there is none."""
    return RECIPES.get(name) or severity_named(name)


def load_recipe(recipe: str | Path) -> Recipe:
    """A recipe by what names it.

    Args:
        recipe: a bundled name or id (``refldm-severe``, ``severity-0.4@1``), a YAML file (``mine.yaml``), or
            a `Recipe` in a Python module that is installed or in the working folder (``my_recipes:FILM``).

    Raises:
        RefbenchError: no such recipe, with the nearest name; or a file or object that is not a recipe.
    """
    text = str(recipe)
    if text.endswith((".yaml", ".yml")):
        try:
            read = Recipe.from_yaml(Path(recipe).read_text("utf-8"))
        except OSError as error:
            raise RefbenchError(f"{recipe}: {error.strerror or error}") from None
        except FaultListError as error:
            raise FaultListError(f"{recipe}, {error.subject}", error.faults) from None
        except (RefbenchError, UnicodeDecodeError) as error:
            raise RefbenchError(f"{recipe}: {error}") from None
        if (known := bundled(read.name)) and known.fingerprint != read.fingerprint:
            raise RefbenchError(
                f"{recipe}: {read.name} is a bundled recipe with other steps; choose another name"
            )
        return read
    if ":" in text:
        return _from_module(text)
    name, _, version = text.partition("@")
    found = bundled(name)
    if found is None:
        hint = f"{nearest(name, RECIPES)} (the file of an own recipe ends in .yaml)"
        raise RefbenchError(f"no recipe is called {name!r}; {hint}")
    if version and version != str(found.version):
        raise RefbenchError(f"{name} is here at version {found.version}, not {version}")
    return found


def _from_module(text: str) -> Recipe:
    found = import_object(text, "write MODULE:NAME of a Recipe")
    if not isinstance(found, Recipe):
        raise RefbenchError(f"{text} is a {type(found).__name__}, not a Recipe")
    return found
