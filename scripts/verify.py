"""Check claims about autoencoders: see `python scripts/verify.py --help`."""

import sys

from autoenc.command_line.verify import main

if __name__ == "__main__":
    sys.exit(main())
