"""From characters to a syntax tree and back: files, includes, parser, formatter, diagnostics."""
