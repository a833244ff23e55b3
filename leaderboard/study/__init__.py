"""User studies: pages of blinded pairs, votes, results."""

from ...deprecated import forward

__getattr__ = forward(__name__)
