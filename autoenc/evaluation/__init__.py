"""Evaluation: how good a model is on a split of the data."""
