"""`python -m popek`."""

from popek.cli import main

main()
