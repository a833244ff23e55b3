"""`python -m refbench` and the command `refbench`: an interruption is no fault, however early it comes."""

from __future__ import annotations

import sys


def run() -> None:
    """Run the command line; exit code 130 if it is interrupted."""
    try:
        from .cli import main

        main()
    except KeyboardInterrupt:
        print("refbench: interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    run()
