"""Decides what Popek and Goldberg ask of a machine, with Z3."""
