"""HQ -> LQ: kernels, operations, recipes, per-image draws, preview."""
