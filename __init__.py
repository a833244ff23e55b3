"""refbench: datasets, scores and leaderboards for reference-based face restoration.

The verbs are functions here and commands of the same names on the command line: `build`, `degrade`,
`restore`, `score`, `publish`; `evaluate` is restore, check and score. Each takes its options as one object
(`BuildOptions`, ...) or as keywords of the same names; the rooms hand out the parts. Public names are loaded
when they are first used (see ``__init__.pyi``), so importing the package loads nothing heavy.
"""

import lazy_loader

from .deprecated import install

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

install()
