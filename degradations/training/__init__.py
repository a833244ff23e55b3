"""Degradations for training: data sets, augmentation, albumentations transforms."""
