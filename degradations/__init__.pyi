from .engine.batched import degrade_batch as degrade_batch
from .engine.degrade import Degraded as Degraded
from .engine.degrade import degrade_image as degrade_image
from .lq.degrade_set import degrade_set as degrade_set
from .lq.import_lq import import_lq as import_lq
from .lq.options import DegradeOptions as DegradeOptions
from .lq.synthesise import LqInfo as LqInfo
from .lq.synthesise import synthesise_lq as synthesise_lq
from .lq.verify import Verification as Verification
from .lq.verify import verify_lq_folder as verify_lq_folder
from .operations.distributions import Choice as Choice
from .operations.distributions import Distribution as Distribution
from .operations.distributions import Fixed as Fixed
from .operations.distributions import Uniform as Uniform
from .operations.operation import Operation as Operation
from .operations.operation import Parameter as Parameter
from .operations.operation import Pixels as Pixels
from .operations.operation import Setting as Setting
from .operations.operation import Values as Values
from .operations.registry import OPERATIONS as OPERATIONS
from .operations.true_colour import TrueColourCompression as TrueColourCompression
from .recipes.bundled import RECIPES as RECIPES
from .recipes.lookup import load_recipe as load_recipe
from .recipes.plan import Plan as Plan
from .recipes.plan import make_plan as make_plan
from .recipes.recipe import Recipe as Recipe
from .recipes.severity import severity_recipe as severity_recipe
from .recipes.steps import Branch as Branch
from .recipes.steps import OneOf as OneOf
from .recipes.steps import Step as Step
from .reports.preview import Preview as Preview
from .reports.preview import preview_recipe as preview_recipe
from .training.augment import Augmentation as Augmentation
from .training.dataset import TrainingPairs as TrainingPairs
from .training.options import TrainingPairsOptions as TrainingPairsOptions
from .training.transforms import Degrade as Degrade
from .training.transforms import recipe_of_pipeline as recipe_of_pipeline

__all__ = [
    "OPERATIONS",
    "RECIPES",
    "Augmentation",
    "Branch",
    "Choice",
    "Degrade",
    "DegradeOptions",
    "Degraded",
    "Distribution",
    "Fixed",
    "LqInfo",
    "OneOf",
    "Operation",
    "Parameter",
    "Pixels",
    "Plan",
    "Preview",
    "Recipe",
    "Setting",
    "Step",
    "TrainingPairs",
    "TrainingPairsOptions",
    "TrueColourCompression",
    "Uniform",
    "Values",
    "Verification",
    "degrade_batch",
    "degrade_image",
    "degrade_set",
    "import_lq",
    "load_recipe",
    "make_plan",
    "preview_recipe",
    "recipe_of_pipeline",
    "severity_recipe",
    "synthesise_lq",
    "verify_lq_folder",
]
