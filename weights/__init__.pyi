from .fetch import Fetched as Fetched
from .fetch import fetch_weights as fetch_weights
from .sources import HubFile as HubFile
from .sources import NpmFile as NpmFile
from .sources import PyPIFile as PyPIFile
from .sources import Url as Url
from .table import GROUPS as GROUPS
from .table import TABLE as TABLE
from .table import Weight as Weight
from .weight_files import Receipt as Receipt
from .weight_files import digest as digest
from .weight_files import find as find
from .weight_files import folder as folder
from .weight_files import location as location
from .weight_files import path as path
from .weight_files import select as select
from .weight_files import state as state
from .weight_files import verify as verify

__all__ = [
    "GROUPS",
    "TABLE",
    "Fetched",
    "HubFile",
    "NpmFile",
    "PyPIFile",
    "Receipt",
    "Url",
    "Weight",
    "digest",
    "fetch_weights",
    "find",
    "folder",
    "location",
    "path",
    "select",
    "state",
    "verify",
]
