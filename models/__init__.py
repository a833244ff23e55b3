"""LQ + references -> restored: restorers, the bundled networks, their losses and training."""
