"""HQ -> LQ: synthesise low-quality images by recipes of versioned, randomly drawn degradations.

A `Recipe` lists `Step`s: an `Operation` with a distribution for each `Parameter`. `degrade_image` and
`degrade_batch` apply it; the draws depend on (recipe id, seed, key) alone. `synthesise_lq`,
`verify_lq_folder` and `import_lq` write and check LQ folders; `preview_recipe` shows a recipe;
`TrainingPairs` and `Degrade` degrade while training data are read.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
