"""`python -m refbench` and the command `refbench`: an interruption is no fault, however early it comes.

Ctrl-C ends with exit code 130, and SIGTERM, which Slurm, Docker and systemd send, with 143; each is told.
"""

from __future__ import annotations

import sys

from .interruption import Interruptions

WORDS = {130: "interrupted", 143: "terminated"}


def run() -> None:
    """Run the command line; exit code 130 if it is interrupted, 143 if it is terminated."""
    with Interruptions() as interruptions:
        try:
            from .cli import main

            main()
        except BaseException as error:
            code = interruptions.code or (130 if isinstance(error, KeyboardInterrupt) else 0)
            if not code:
                raise
            print(f"refbench: {WORDS[code]}; run the same command again to go on", file=sys.stderr)
            sys.exit(code)


if __name__ == "__main__":
    run()
