"""Flags: copied images and training overlap."""
