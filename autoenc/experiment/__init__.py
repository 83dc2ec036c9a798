"""One experiment, top to bottom: prepared, recorded, run."""

from __future__ import annotations

from autoenc.experiment.course import run
from autoenc.experiment.preparation import Prepared, prepare
from autoenc.experiment.recording import Supervision, recorded
from autoenc.experiment.wording import title_of

__all__ = ["Prepared", "Supervision", "prepare", "recorded", "run", "title_of"]
