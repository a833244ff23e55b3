"""Training: a PyTorch dataset, augmentation of references, transforms for albumentations."""
