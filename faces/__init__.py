"""Photo -> aligned face -> embedding.

`load_detector` and `find_faces` detect faces with five landmarks; `align_face` crops a face by a similarity
transform; `measure_face` measures its quality (pose, sharpness, size). `load_recogniser` loads a network that
turns a face into a unit vector (`Embeddings`), whose cosine distances tell whether two photos show one
person.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
