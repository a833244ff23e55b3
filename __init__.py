"""refbench: datasets, scores and leaderboards for reference-based face restoration.

The five verbs are functions here and commands of the same names and options on the command line:
`build`, `degrade`, `restore`, `score`, `publish`; `evaluate` is restore, check and score. Importing the
package loads nothing heavy: public names are loaded when they are first used, see ``__init__.pyi``.
"""

import lazy_loader

from .deprecated import install

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

install()
