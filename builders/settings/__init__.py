"""Options of builds and imports, quality filters, overrides, provenance."""
