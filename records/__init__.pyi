from .card import Card as Card
from .card import ModelCard as ModelCard
from .card import RestorerCard as RestorerCard
from .card import card_text as card_text
from .card import parse_card as parse_card
from .card import read_card as read_card
from .card import write_card as write_card
from .evaluation_modes import with_references as with_references
from .ids import VersionedId as VersionedId
from .lq_set import LqInfo as LqInfo
from .lq_set import LqRow as LqRow
from .lq_set import lq_dataset as lq_dataset
from .lq_set import lq_hash as lq_hash
from .lq_set import pixels_sha256 as pixels_sha256
from .lq_set import read_rows as read_rows
from .options import Options as Options
from .protocol import Protocol as Protocol
from .record import Benchmark as Benchmark
from .record import Record as Record
from .record import RecordInfo as RecordInfo
from .record import SetScore as SetScore
from .record import Track as Track
from .reference_set import ReferenceSet as ReferenceSet
from .reference_set import SetInfo as SetInfo
from .reference_set import content_hash as content_hash
from .reference_set import image_path as image_path
from .run_manifest import Job as Job
from .run_manifest import RunManifest as RunManifest
from .run_manifest import close_run as close_run
from .run_manifest import open_run as open_run
from .targets import Target as Target
from .targets import Targets as Targets

__all__ = [
    "Benchmark",
    "Card",
    "Job",
    "LqInfo",
    "LqRow",
    "ModelCard",
    "Options",
    "Protocol",
    "Record",
    "RecordInfo",
    "ReferenceSet",
    "RestorerCard",
    "RunManifest",
    "SetInfo",
    "SetScore",
    "Target",
    "Targets",
    "Track",
    "VersionedId",
    "card_text",
    "close_run",
    "content_hash",
    "image_path",
    "lq_dataset",
    "lq_hash",
    "open_run",
    "parse_card",
    "pixels_sha256",
    "read_card",
    "read_rows",
    "with_references",
    "write_card",
]
