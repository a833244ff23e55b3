from .catalogue import METRICS as METRICS
from .catalogue import OFFLINE as OFFLINE
from .catalogue import PAPER as PAPER
from .catalogue import PROTOCOLS as PROTOCOLS
from .catalogue import Protocol as Protocol
from .catalogue import ProtocolId as ProtocolId
from .catalogue import find as find
from .catalogue import newest as newest
from .catalogue import protocol_of as protocol_of
from .catalogue import protocols_of as protocols_of
from .catalogue import protocols_of_records as protocols_of_records
from .catalogue import register as register
from .catalogue import select as select
from .core.feature import PIXELS as PIXELS
from .core.feature import Batch as Batch
from .core.feature import Feature as Feature
from .core.metric import GainMetric as GainMetric
from .core.metric import ImageMetric as ImageMetric
from .core.metric import Metric as Metric
from .core.metric import NoReferenceMetric as NoReferenceMetric
from .core.metric import ReferenceMetric as ReferenceMetric
from .core.metric import SetMetric as SetMetric
from .core.options import ScoreOptions as ScoreOptions
from .core.tensors import aligned_landmarks as aligned_landmarks
from .distances.frechet import LowRankMoments as LowRankMoments
from .distances.frechet import Moments as Moments
from .distances.frechet import MomentStream as MomentStream
from .distances.frechet import frechet_distance as frechet_distance
from .distances.frechet import frechet_metric as frechet_metric
from .distances.kid import kernel_distance as kernel_distance
from .distances.kid import unbiased_mmd as unbiased_mmd
from .distances.precision_recall import coverage as coverage
from .distances.precision_recall import density as density
from .distances.precision_recall import precision as precision
from .distances.precision_recall import recall as recall
from .distances.statistics_file import Statistics as Statistics
from .distances.statistics_file import import_clean_fid as import_clean_fid
from .file_measures import FileMeasure as FileMeasure
from .file_measures import measure_files as measure_files
from .functional import fid as fid
from .functional import flpips as flpips
from .functional import identity_similarity as identity_similarity
from .functional import kid as kid
from .functional import landmark_distance as landmark_distance
from .functional import lpips as lpips
from .functional import measure_sets as measure_sets
from .functional import ms_ssim as ms_ssim
from .functional import no_reference_quality as no_reference_quality
from .functional import psnr as psnr
from .functional import ssim as ssim
from .protocols.gain import gain_of as gain_of
from .scoring.distributed import Shard as Shard
from .scoring.distributed import from_torchrun as from_torchrun
from .scoring.meter import Meter as Meter
from .scoring.meter import measure as measure
from .scoring.score import Entry as Entry
from .scoring.score import score_images as score_images
from .scoring.score import score_many as score_many
from .scoring.set_statistics import measure_statistics as measure_statistics

__all__ = [
    "METRICS",
    "OFFLINE",
    "PAPER",
    "PIXELS",
    "PROTOCOLS",
    "Batch",
    "Entry",
    "Feature",
    "FileMeasure",
    "GainMetric",
    "ImageMetric",
    "LowRankMoments",
    "Meter",
    "Metric",
    "MomentStream",
    "Moments",
    "NoReferenceMetric",
    "Protocol",
    "ProtocolId",
    "ReferenceMetric",
    "ScoreOptions",
    "SetMetric",
    "Shard",
    "Statistics",
    "aligned_landmarks",
    "coverage",
    "density",
    "fid",
    "find",
    "flpips",
    "frechet_distance",
    "frechet_metric",
    "from_torchrun",
    "gain_of",
    "identity_similarity",
    "import_clean_fid",
    "kernel_distance",
    "kid",
    "landmark_distance",
    "lpips",
    "measure",
    "measure_files",
    "measure_sets",
    "measure_statistics",
    "ms_ssim",
    "newest",
    "no_reference_quality",
    "precision",
    "protocol_of",
    "protocols_of",
    "protocols_of_records",
    "psnr",
    "recall",
    "register",
    "score_images",
    "score_many",
    "select",
    "ssim",
    "unbiased_mmd",
]
