"""Compare run folders: see `python scripts/compare.py --help`."""

import sys

from autoenc.command_line.compare import main

if __name__ == "__main__":
    sys.exit(main())
