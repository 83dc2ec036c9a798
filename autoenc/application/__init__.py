"""A trained model applied to a person's own pictures, which may be more than fit into memory.

Images come from an input in batches, and results are written batch by batch. Only names and scores are kept.
"""

from autoenc.application.request import Request, apply

__all__ = ["Request", "apply"]
