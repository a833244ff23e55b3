"""Photo -> aligned face -> embedding: detectors, alignment templates and crops, recognisers."""
