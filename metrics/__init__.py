"""Restored + HQ (+ references) -> scores: protocols, the one-pass harness, set statistics, records."""
