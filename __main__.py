"""`python -m refbench` is the command line."""

from .cli import main

main()
