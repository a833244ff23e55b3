"""LQ image + references -> restored image: restorers, diffusion models, losses, training.

`load_restorer` loads any restorer (of the package, a Python class, ONNX, a command, weights);
`restore_images` runs it over many images; `RefLdm` and `CompositeContext` are the two models, `ddim` and
`dpm_solver` the samplers, `train` trains them. Names are loaded when they are first used; see
``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
