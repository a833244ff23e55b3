from .align import ARCFACE_112 as ARCFACE_112
from .align import DLIB_150 as DLIB_150
from .align import FFHQ_512 as FFHQ_512
from .align import AlignedFace as AlignedFace
from .align import align_face as align_face
from .align import align_to as align_to
from .align import already_aligned as already_aligned
from .align import similarity_transform as similarity_transform
from .align import template_at as template_at
from .align import warp as warp
from .crops import CROPS as CROPS
from .crops import Crop as Crop
from .detectors.detect import DETECTORS as DETECTORS
from .detectors.detect import DetectorKind as DetectorKind
from .detectors.detect import choose_face as choose_face
from .detectors.detect import custom_detector as custom_detector
from .detectors.detect import find_faces as find_faces
from .detectors.detect import load_detector as load_detector
from .embeddings import Embeddings as Embeddings
from .face import Detector as Detector
from .face import Face as Face
from .quality import FaceQuality as FaceQuality
from .quality import Pose as Pose
from .quality import head_pose as head_pose
from .quality import measure_face as measure_face
from .quality import sharpness as sharpness
from .recognisers.cache import EmbeddingCache as EmbeddingCache
from .recognisers.recognise import Recogniser as Recogniser
from .recognisers.recognise import load_recogniser as load_recogniser
from .recognisers.registry import RECOGNISERS as RECOGNISERS
from .recognisers.registry import RecogniserKind as RecogniserKind
from .recognisers.registry import custom_recogniser as custom_recogniser
from .verification import accepted_at as accepted_at
from .verification import accuracy as accuracy
from .verification import best_threshold as best_threshold
from .verification import equal_error_rate as equal_error_rate
from .verification import ten_fold as ten_fold

__all__ = [
    "ARCFACE_112",
    "CROPS",
    "DETECTORS",
    "DLIB_150",
    "FFHQ_512",
    "RECOGNISERS",
    "AlignedFace",
    "Crop",
    "Detector",
    "DetectorKind",
    "EmbeddingCache",
    "Embeddings",
    "Face",
    "FaceQuality",
    "Pose",
    "Recogniser",
    "RecogniserKind",
    "accepted_at",
    "accuracy",
    "align_face",
    "align_to",
    "already_aligned",
    "best_threshold",
    "choose_face",
    "custom_detector",
    "custom_recogniser",
    "equal_error_rate",
    "find_faces",
    "head_pose",
    "load_detector",
    "load_recogniser",
    "measure_face",
    "sharpness",
    "similarity_transform",
    "template_at",
    "ten_fold",
    "warp",
]
