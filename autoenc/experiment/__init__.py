"""One experiment: prepare, train, evaluate, draw, report."""
