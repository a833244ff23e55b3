"""Training: configuration, data, the loop."""
