"""The proof of a monitor: what its text says of a guest, obligation by obligation."""
