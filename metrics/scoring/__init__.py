"""The one-pass scoring harness, and records from its parts."""
