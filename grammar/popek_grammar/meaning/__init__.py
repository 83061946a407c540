"""The meaning of a machine: one evaluator of guards and bodies over terms."""
