"""The training task of each kind of model."""
