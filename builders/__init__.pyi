from .build import build_set as build_set
from .exchange.exchange import export_set as export_set
from .exchange.exchange import import_lq as import_lq
from .exchange.ffhq_ref import read_release as read_release
from .exchange.import_release import import_release as import_release
from .exchange.parquet import read_parquet as read_parquet
from .identities.clustering import average_linkage as average_linkage
from .identities.clustering import components as components
from .identities.clustering_metrics import ClusteringScores as ClusteringScores
from .identities.clustering_metrics import score_clustering as score_clustering
from .identities.clustering_metrics import score_thresholds as score_thresholds
from .identities.cosine_distance import distance_matrix as distance_matrix
from .identities.cosine_distance import nearest_distances as nearest_distances
from .identities.faiss_search import find_pairs_by_faiss as find_pairs_by_faiss
from .identities.pair_search import Pairs as Pairs
from .identities.pair_search import find_pairs as find_pairs
from .photos.phash import perceptual_hash as perceptual_hash
from .photos.report import BuildReport as BuildReport
from .rebuild import RebuildReport as RebuildReport
from .rebuild import rebuild_set as rebuild_set
from .references.references import farthest_point_order as farthest_point_order
from .references.splits import draw_splits as draw_splits
from .review.audit import Audit as Audit
from .review.audit import audit_set as audit_set
from .review.review import write_review as write_review
from .review.summary import SetSummary as SetSummary
from .review.summary import summarise as summarise
from .settings.options import BuildOptions as BuildOptions
from .settings.options import ImportOptions as ImportOptions
from .settings.overrides import Overrides as Overrides
from .settings.quality_filters import QualityFilters as QualityFilters
from .verify import SetVerification as SetVerification
from .verify import verify_set as verify_set

__all__ = [
    "Audit",
    "BuildOptions",
    "BuildReport",
    "ClusteringScores",
    "ImportOptions",
    "Overrides",
    "Pairs",
    "QualityFilters",
    "RebuildReport",
    "SetSummary",
    "SetVerification",
    "audit_set",
    "average_linkage",
    "build_set",
    "components",
    "distance_matrix",
    "draw_splits",
    "export_set",
    "farthest_point_order",
    "find_pairs",
    "find_pairs_by_faiss",
    "import_lq",
    "import_release",
    "nearest_distances",
    "perceptual_hash",
    "read_parquet",
    "read_release",
    "rebuild_set",
    "score_clustering",
    "score_thresholds",
    "summarise",
    "verify_set",
    "write_review",
]
