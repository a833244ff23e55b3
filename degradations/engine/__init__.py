"""Applying drawn steps to pixels: the reference implementation, the fast path and torch batches."""
