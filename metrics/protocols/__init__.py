"""Protocols of single images, one file per family."""
