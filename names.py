"""Names of files and people as text: one form for comparing, one for keeping, and a safe one for showing."""

from __future__ import annotations

import os
import re
import unicodedata

RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])(\..*)?")
NOT_PORTABLE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
ON_TERMINALS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def normal(name: str) -> str:
    """The form in which names are compared: composed (NFC), as most systems write; macOS hands out NFD."""
    return unicodedata.normalize("NFC", name)


def kept(name: str) -> str:
    r"""A name as tables keep it: composed, and bytes that are no UTF-8 as ``\xe9``."""
    try:
        data = os.fsencode(name)
    except UnicodeEncodeError:
        data = name.encode("utf-8", "backslashreplace")
    return normal(data.decode("utf-8", "backslashreplace"))


def printable(name: str, longest: int | None = None) -> str:
    r"""A name on one line for people: whatever a terminal would not show as a sign is written as ``\x1b``.

    Control characters, line breaks, signs that turn the direction of writing and bytes that are no UTF-8 are
    escaped; of a name of more than ``longest`` characters the middle is left out.
    """
    text = kept(name) if any("\ud800" <= char <= "\udfff" for char in name) else name
    safe = "".join(char if char.isprintable() else _escaped(char) for char in text)
    if longest is None or len(safe) <= longest:
        return safe
    half = longest // 2 - 2
    return f"{safe[:half]}...{safe[-half:]}"


def terminal_safe(text: str) -> str:
    """A text of any lines in which no character commands the terminal or turns the direction of writing."""
    return ON_TERMINALS.sub(lambda found: _escaped(found[0]), text)


def json_safe(text: str) -> str:
    """JSON text as `terminal_safe`; it reads back to the same values."""
    return ON_TERMINALS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def is_portable(name: str) -> bool:
    """Whether every common system can hold a file of that name (one part of a path): Windows forbids some."""
    too_long = len(name.encode("utf-8", "surrogateescape")) > 200
    bad = not name or name == "." or name.endswith((".", " ")) or NOT_PORTABLE.search(name)
    return not (bad or too_long or RESERVED.fullmatch(name))


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "replace").decode("ascii")
