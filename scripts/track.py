"""Send runs that have ended to a tracker: see `python scripts/track.py --help`."""

import sys

from autoenc.command_line.track import main

if __name__ == "__main__":
    sys.exit(main())
