"""The only place that knows Z3, a second solver, or a disk."""
