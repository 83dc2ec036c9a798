"""The parts of a trained model that do nothing: dead, saturated and collapsed units, kernels and codes."""
