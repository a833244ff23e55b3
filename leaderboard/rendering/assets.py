"""Bundled files of pages, kits and scoring programs: templates, styles, scripts, fonts, icons."""

from __future__ import annotations

from importlib import resources

ASSETS = (
    "fonts.txt",
    "geist.woff2",
    "icon.svg",
    "moved.js",
    "newsreader.woff2",
    "pictures.js",
    "site.css",
    "site.js",
)


def template(name: str) -> resources.abc.Traversable:
    """A template or asset by its file name."""
    return resources.files(__package__).joinpath("templates", name)


def asset(name: str) -> bytes:
    """The bytes of a bundled file by its name."""
    return template(name).read_bytes()
