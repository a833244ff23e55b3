"""Restorers: the interface, the runner, baselines, and user restorers."""
