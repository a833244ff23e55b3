"""From embeddings to identities: the pair search and the clustering."""

from ...deprecated import forward

__getattr__ = forward(__name__)
