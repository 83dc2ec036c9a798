"""Score finished runs again, or test denoisers on other noises: see `python scripts/evaluate.py --help`."""

import sys

from autoenc.command_line.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
