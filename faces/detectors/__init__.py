"""Face detectors: photo -> boxes and five landmarks."""
