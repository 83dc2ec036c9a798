"""How the runs in some folders stand: see `python scripts/status.py --help`."""

import sys

from autoenc.command_line.status import main

if __name__ == "__main__":
    sys.exit(main())
