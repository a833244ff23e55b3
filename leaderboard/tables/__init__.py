"""The board as plain data, and how its numbers are formatted."""
