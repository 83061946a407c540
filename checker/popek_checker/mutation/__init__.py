"""Faults made on purpose, to see what notices them."""
