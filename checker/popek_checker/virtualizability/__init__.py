"""Popek and Goldberg's questions about one machine."""
