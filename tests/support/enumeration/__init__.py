"""Verdicts by enumeration: small random machines, all states of which are run, and the classes as docs/theory.md defines them.

No term, no solver and no evaluator of Popek's is used to decide: `language` has a syntax and a meaning of its own over numbers,
`classes` the definitions. `compare` alone knows Popek, which reads the text that `language` prints.
"""
