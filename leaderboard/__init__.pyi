from .examples.example import write_example as write_example
from .examples.synthetic import SyntheticImages as SyntheticImages
from .examples.synthetic import make_synthetic_records as make_synthetic_records
from .integrity.copies import find_copies as find_copies
from .integrity.flagging import flag_records as flag_records
from .integrity.flagging import match_submissions as match_submissions
from .integrity.overlap import find_training_overlap as find_training_overlap
from .integrity.stored_again import CopyMeasures as CopyMeasures
from .integrity.stored_again import measure_copy as measure_copy
from .pages.pictures import PictureOptions as PictureOptions
from .rendering.downloads import export_table as export_table
from .sharing.codabench import Challenge as Challenge
from .sharing.codabench import column_key as column_key
from .sharing.codabench import write_codabench_bundle as write_codabench_bundle
from .sharing.hub import push_records as push_records
from .sharing.hub import push_set as push_set
from .sharing.hub import push_site as push_site
from .site.options import PublishOptions as PublishOptions
from .site.publish import publish_site as publish_site
from .statistics.bradley_terry import Ballots as Ballots
from .statistics.bradley_terry import Preferences as Preferences
from .statistics.bradley_terry import agreement_with as agreement_with
from .statistics.bradley_terry import bradley_terry as bradley_terry
from .statistics.bradley_terry import fit_preferences as fit_preferences
from .statistics.bradley_terry import krippendorff_alpha as krippendorff_alpha
from .statistics.comparison import ProtocolComparison as ProtocolComparison
from .statistics.comparison import compare_models as compare_models
from .statistics.comparison import comparison_rows as comparison_rows
from .statistics.comparison import comparison_text as comparison_text
from .statistics.design import Design as Design
from .statistics.permutation import holm as holm
from .statistics.permutation import holm_pairs as holm_pairs
from .statistics.permutation import permutation_test as permutation_test
from .statistics.rank_groups import compact_letters as compact_letters
from .statistics.rank_groups import competition_ranks as competition_ranks
from .statistics.rank_groups import rank_ranges as rank_ranges
from .statistics.ranking import make_board as make_board
from .statistics.slices import SliceScores as SliceScores
from .statistics.slices import Slicing as Slicing
from .statistics.slices import find_slicings as find_slicings
from .statistics.slices import slice_table as slice_table
from .statistics.statistics import Difference as Difference
from .statistics.statistics import Means as Means
from .statistics.statistics import PairDifferences as PairDifferences
from .statistics.statistics import means_with_intervals as means_with_intervals
from .statistics.statistics import pair_differences as pair_differences
from .statistics.statistics import paired_difference as paired_difference
from .store.checks import StoreProblem as StoreProblem
from .store.flags import Flag as Flag
from .store.flags import read_flags as read_flags
from .store.flags import write_flags as write_flags
from .store.settings import BoardSettings as BoardSettings
from .store.settings import read_settings as read_settings
from .store.store import Record as Record
from .store.store import Store as Store
from .store.store import StoredRecord as StoredRecord
from .store.study_results import StudyResult as StudyResult
from .store.study_results import read_results as read_results
from .store.study_results import save_result as save_result
from .study.create import create_study as create_study
from .study.study import StudyKey as StudyKey
from .study.study import plan_study as plan_study
from .study.study import write_study as write_study
from .study.votes import VoteFile as VoteFile
from .study.votes import analyse_votes as analyse_votes
from .study.votes import read_votes as read_votes
from .submission.challenge import hold_out as hold_out
from .submission.challenge import write_challenge_set as write_challenge_set
from .submission.kit import write_container as write_container
from .submission.kit import write_kit as write_kit
from .submission.safe_extract import ArchiveLimits as ArchiveLimits
from .submission.submission import Submission as Submission
from .submission.submission import SubmissionCheck as SubmissionCheck
from .submission.submission import check_submission as check_submission
from .submission.submission import read_submission as read_submission
from .submission.submission import submission_hash as submission_hash
from .tables.board import Board as Board
from .tables.board import Table as Table
from .tables.summary import summary as summary

__all__ = [
    "ArchiveLimits",
    "Ballots",
    "Board",
    "BoardSettings",
    "Challenge",
    "CopyMeasures",
    "Design",
    "Difference",
    "Flag",
    "Means",
    "PairDifferences",
    "PictureOptions",
    "Preferences",
    "ProtocolComparison",
    "PublishOptions",
    "Record",
    "SliceScores",
    "Slicing",
    "Store",
    "StoreProblem",
    "StoredRecord",
    "StudyKey",
    "StudyResult",
    "Submission",
    "SubmissionCheck",
    "SyntheticImages",
    "Table",
    "VoteFile",
    "agreement_with",
    "analyse_votes",
    "bradley_terry",
    "check_submission",
    "column_key",
    "compact_letters",
    "compare_models",
    "comparison_rows",
    "comparison_text",
    "competition_ranks",
    "create_study",
    "export_table",
    "find_copies",
    "find_slicings",
    "find_training_overlap",
    "fit_preferences",
    "flag_records",
    "hold_out",
    "holm",
    "holm_pairs",
    "krippendorff_alpha",
    "make_board",
    "make_synthetic_records",
    "match_submissions",
    "means_with_intervals",
    "measure_copy",
    "pair_differences",
    "paired_difference",
    "permutation_test",
    "plan_study",
    "publish_site",
    "push_records",
    "push_set",
    "push_site",
    "rank_ranges",
    "read_flags",
    "read_results",
    "read_settings",
    "read_submission",
    "read_votes",
    "save_result",
    "slice_table",
    "submission_hash",
    "summary",
    "write_challenge_set",
    "write_codabench_bundle",
    "write_container",
    "write_example",
    "write_flags",
    "write_kit",
    "write_study",
]
