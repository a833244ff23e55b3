"""The version of the package; a module of its own, so that nobody imports the facade for it."""

__version__ = "0.2.0"
