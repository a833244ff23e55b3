"""Trained network weights: the declared table, where each file comes from, and whether it is here."""
