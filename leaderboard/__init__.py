"""Restored images -> submissions -> records -> ranked tables -> a static site.

Submissions are read and checked (untrusted archives included), records are kept in an append-only store,
models are ranked with intervals and tests, copies and training overlap are flagged, and sites, user studies,
kits and Codabench bundles are written. Public names are loaded when they are first used, see
``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
