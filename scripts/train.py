"""Train an autoencoder: see `python scripts/train.py --help`."""

import sys

from autoenc.command_line import main

if __name__ == "__main__":
    sys.exit(main())
