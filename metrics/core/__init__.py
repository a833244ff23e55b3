"""What a metric is: its features, its kernel, and the checks on tensors."""
