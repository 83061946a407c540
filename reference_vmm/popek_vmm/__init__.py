"""The generated machine: `oracle`, one readable step function over numbers, and `interpreter`, the same at native speed."""
