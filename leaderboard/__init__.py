"""Submissions -> records -> ranks -> a static site."""
