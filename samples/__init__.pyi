from .fetch import London as London
from .fetch import fetch_london as fetch_london
from .sample_people import PEOPLE as PEOPLE
from .sample_people import true_identities as true_identities

__all__ = ["PEOPLE", "London", "fetch_london", "true_identities"]
