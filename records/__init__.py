"""Files on disk <-> typed records of more than one room, each with one reader and one writer.

A reference set (`ReferenceSet`), a folder of LQ images (`LqInfo`), the manifest of a run of `restore`
(`RunManifest`), the cards of restorers and submissions (`RestorerCard`, `Card`), the scores of a submission
(`Record`, with `Benchmark` and `Protocol`). Each has a schema version; files of version 0.1 are read.
`to_dataset()` gives a Hugging Face `datasets.DatasetDict`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
