"""The folder of a run: written by one module, read by another."""
