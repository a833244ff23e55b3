"""Carrying out the drawn steps: the reference path, the fast path, and batches in torch."""
