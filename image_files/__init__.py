"""Image files of any common format -> upright 8-bit sRGB pixels, and notes on what was converted."""
