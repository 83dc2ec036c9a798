"""Codes out of pictures."""

from __future__ import annotations

from pathlib import Path

from autoenc.application.codes import CodesWriter, model_facts
from autoenc.application.source import Batch, Source, check_finite, for_each_batch
from autoenc.trained_model import TrainedModel


def encode(run: TrainedModel, source: Source, path: Path, *, batch_size: int) -> None:
    """Write the codes of all pictures, with their names, to an `.npz`; of a distribution, its mean."""
    # On the disk that the archive is going to be on, in a folder that is there already.
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    with CodesWriter(code_size=run.config.architecture.code_size, folder=folder) as writer:

        def work(batch: Batch) -> None:
            codes = run.encode(batch.images)
            check_finite(codes, names=batch.names)
            writer.add(batch.names, codes)

        for_each_batch(source, work, size=batch_size, doing="encoding")
        writer.save(path, facts=model_facts(run))
