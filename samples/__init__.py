"""Photos to try things on: the bundled sample people, and real photos that can be downloaded.

The sample people are 31 composites of real faces in 120 photos (see ``people.md``); `true_identities` tells
who is on which photo. `fetch_london` downloads the Face Research Lab London Set, with its licence.
"""

from typing import Any

import lazy_loader

_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """A public name, loaded at its first use; ``truth`` is the name of `true_identities` in 0.1."""
    if name == "truth":
        from . import sample_people

        return sample_people.truth
    return _public(name)
