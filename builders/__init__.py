"""Photos -> reference set: build, verify, audit, export and import sets of faces with references.

A build detects and aligns faces, embeds them, clusters them into identities, chooses references and draws
identity-disjoint splits. The result is a folder (`records.ReferenceSet`) that can be verified, rebuilt from
its photos, audited for leaks, reviewed by eye, and exported (Parquet, WebDataset, folders, FFHQ-Ref lists).
The parts (pair search, clustering, clustering metrics, farthest-point order, splits) work on plain arrays.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
