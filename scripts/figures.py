"""Draw the pictures of a finished run: see `python scripts/figures.py --help`."""

import sys

from autoenc.command_line.figures import main

if __name__ == "__main__":
    sys.exit(main())
