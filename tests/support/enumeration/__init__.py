"""Verdicts by enumeration: small random machines, all states of which are run, and the classes as docs/theory.md defines them.

No term, no solver and no evaluator of Popek's is used to decide: `meaning` goes over numbers, `classes` has the
definitions. `compare` and `conditions` alone know Popek, which reads the text that `writing` makes of a machine.
"""
