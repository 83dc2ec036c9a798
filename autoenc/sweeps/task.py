"""What a job's process is given: plain values, which any launcher can send to wherever the process will be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class JobTask:
    """One job of a sweep."""

    folder: str
    """Absolute; on a disk that every machine of the sweep sees under this name."""
    config: Mapping[str, Any]
    """What its `config.yaml` says if the folder has to be made. One that is there keeps its own, but for where its data
    lie, what is drawn, and who is told."""
    hydra: Mapping[str, str]
    """The files of its `.hydra/`, by name."""
    logging: Mapping[str, Any]
    """For `logging.config.dictConfig`."""
    timeout: float | None
    """Seconds after which it is ended; None: never."""
    replaces: bool = False
    """Whether what is in the folder is to be put aside first, and the job begins anew."""
    chdir: bool = False
    """Whether it stands in its folder while it runs (`hydra.job.chdir`)."""
    threads: int | None = None
    """CPU threads where its config leaves them open; None: torch's choice."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that it has beside those of its parent."""
