"""Example and synthetic records."""
