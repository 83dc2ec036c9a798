"""Apply a trained model to your own pictures: see `python scripts/apply.py --help`."""

import sys

from autoenc.command_line.apply import main

if __name__ == "__main__":
    sys.exit(main())
