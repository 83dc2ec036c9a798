"""Train an autoencoder: see `python scripts/train.py --help`."""

from autoenc.command_line import main
from autoenc.command_line.exit_code import end_with

if __name__ == "__main__":
    end_with(main)
