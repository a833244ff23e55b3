"""Distances between sets of images: Frechet, KID, precision and recall."""
