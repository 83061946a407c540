"""Verdicts by enumeration: small random machines, every state of which is run, and the classes of docs/theory.md by their definitions.

No term, no solver and no evaluator of Popek's is used to decide: `language` has a syntax and a meaning of its own over numbers,
`classes` the definitions. `compare` alone knows Popek, which reads the text that `language` prints.
"""
