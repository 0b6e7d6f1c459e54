"""``python -m reviva``."""

from reviva.cli import main

main()
