"""Two machines compared by meaning."""
