"""Rendering of pages from templates: text is escaped, links between pages are relative."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2

from ..store.settings import BoardSettings
from .assets import template


@dataclass(frozen=True)
class Page:
    """A page to write: its address below the site, its template, and the values that the template shows."""

    address: str
    template: str
    context: Mapping[str, Any]


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: template(name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(page: Page, settings: BoardSettings, navigation: list[dict[str, str]]) -> str:
    """The page as HTML."""
    depth = page.address.count("/")
    mark = template("icon.svg").read_text("utf-8")
    inner = mark[mark.index(">") + 1 : mark.rindex("</svg>")]
    text = (
        _environment()
        .get_template(page.template)
        .render(
            settings=settings,
            navigation=navigation,
            here=page.address,
            root="../" * depth,
            mark=trusted_markup(inner),
            **page.context,
        )
    )
    return re.sub(r"\n\s+", "\n", text)


def trusted_markup(markup: str) -> Any:
    """Text that is HTML already and is not escaped; never for text from a submission."""
    import markupsafe

    return markupsafe.Markup(markup)


def script_json(value: Any) -> str:
    """JSON that is safe inside a script element: ASCII only, without ``<`` and line separators."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
