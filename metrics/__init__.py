"""Restored images + HQ (+ references) -> scores: metrics with versioned protocols.

`psnr`, `lpips`, `identity_similarity`, `fid` and others are functions on image tensors; `measure` and `Meter`
take any protocol by its id; `score_images` scores a submission against a reference set and gives a record;
`find`, `select` and `PROTOCOLS` list what there is, and `register` adds a metric of one's own. Names are
loaded when they are first used; see ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
