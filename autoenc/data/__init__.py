"""Data: datasets, their splits, and noise."""
