"""The choices of a build: options, quality filters, decisions by hand, provenance."""
