"""What a person asked for, and its way to the function that does it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autoenc.application.codes import StoredCodes, check_codes_file
from autoenc.application.dataset_images import Datasets
from autoenc.application.destinations import check_apart, check_file, check_folder, check_suffix
from autoenc.application.encoding import encode
from autoenc.application.fitting import Fitting, check_fitting
from autoenc.application.opening import check_source, open_source
from autoenc.application.picture_files import Unreadable, printable
from autoenc.application.pictures_made import decode, denoise, reconstruct
from autoenc.application.scoring import score, score_files
from autoenc.application.source import Source, counted
from autoenc.data.datasets import Dataset
from autoenc.data.datasets.image_files import Resize
from autoenc.devices import plain_device
from autoenc.settings import ConfigError
from autoenc.trained_model import TrainedModel, load_run

log = logging.getLogger(__name__)

Action = Literal["reconstruct", "denoise", "encode", "decode", "score"]

MOST_IN_A_BATCH = 512
MOST_PIXELS = 2**22
"""Values of the images of one batch."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to do with which model and which pictures."""

    run: Path
    given: str
    """INPUT: what `open_source` understands; for `decode`, a file of codes."""
    output: Path
    do: Action
    device: str
    batch_size: int | None
    """None for as many as make `MOST_PIXELS`."""
    limit: int | None
    unreadable: Unreadable
    resize: Resize | None
    """None for the way the run's own pictures came to their size, or stretched where they did not have to."""
    invert: bool
    baseline: str
    """What is ordinary, for `score`; like `given`."""
    overwrite: bool
    data_dir: Path | None
    """None for the run's own."""


def apply(request: Request, *, usual_dataset: Callable[[str], Dataset]) -> None:
    """Do what is asked for.

    Args:
        request: it.
        usual_dataset: from the name of a dataset to its usual settings.

    Raises:
        ValueError: it cannot be done as it was asked; the message is one line.
        OSError: something cannot be written.
    """
    _check_output(request)
    _check_given(request)
    run = load_run(request.run, device=plain_device(request.device).torch_device)
    _check_apart_from_training(request, run)
    log.info("The model of %s: %r.", request.run, run)
    batch_size = request.batch_size or max(1, min(MOST_IN_A_BATCH, MOST_PIXELS // math.prod(run.image_shape)))
    if run.image_shape[0] not in {1, 3} and request.do != "encode":
        problem = f"pictures are grey or coloured, and this model's have {run.image_shape[0]} channels"
        raise ConfigError("--do", problem, value=request.do)
    if request.do == "decode":
        code_size = run.config.architecture.code_size
        path = Path(request.given).expanduser()
        codes = StoredCodes.open(path, key="INPUT", code_size=code_size, limit=request.limit)
        decode(run, codes, request.output, batch_size=batch_size)
    else:
        _apply_to_pictures(run, request, usual_dataset=usual_dataset, batch_size=batch_size)
    log.info("Written: %s", request.output)


def _apply_to_pictures(
    run: TrainedModel, request: Request, *, usual_dataset: Callable[[str], Dataset], batch_size: int
) -> None:
    own: Resize = getattr(run.config.dataset, "resize", "stretch")
    resize = own if request.resize is None else request.resize
    fitting = Fitting(image_shape=run.image_shape, resize=resize, invert=request.invert)
    check_fitting(fitting)
    data_dir = run.config.data_dir if request.data_dir is None else request.data_dir
    datasets = Datasets(
        usual=usual_dataset,
        own=run.config.dataset,
        own_name=run.config.values["dataset"]["name"],
        data_dir=data_dir,
    )

    def opened(text: str, *, key: str, fitting: Fitting, limit: int | None) -> Source:
        return open_source(
            text, key=key, fitting=fitting, datasets=datasets, unreadable=request.unreadable, limit=limit
        )

    source = opened(request.given, key="INPUT", fitting=fitting, limit=request.limit)
    log.info("%s of %s.", counted(len(source.names)), printable(source.description))
    match request.do:
        case "reconstruct":
            reconstruct(run, source, request.output, batch_size=batch_size)
        case "denoise":
            denoise(run, source, request.output, batch_size=batch_size)
        case "encode":
            encode(run, source, request.output, batch_size=batch_size)
        case "score":
            ordinary = Fitting(image_shape=run.image_shape, resize=resize, invert=False)
            baseline = opened(request.baseline, key="--baseline", fitting=ordinary, limit=None)
            score(run, source, request.output, baseline=baseline, batch_size=batch_size)


def _written(request: Request) -> Sequence[Path]:
    """The files, or the folder, that would be written."""
    return score_files(request.output) if request.do == "score" else (request.output,)


def _check_apart_from_training(request: Request, run: TrainedModel) -> None:
    """What `run:test` is read from may be a folder of pictures, which are not to be replaced either."""
    own = getattr(run.config.dataset, "path", None)
    if own is not None:
        for path in _written(request):
            check_apart(path, given=own, key="the run's dataset.path")


def _check_output(request: Request) -> None:
    """Before anything that takes time."""
    suffix = {"encode": ".npz", "score": ".csv"}.get(request.do)
    if suffix is not None:
        check_suffix(request.output, suffix=suffix)
    files = _written(request)
    # First of all: of what is given, nobody is to be told that --overwrite replaces it.
    for path in files:
        for key, text in _given(request).items():
            check_apart(path, given=text, key=key)
    check = check_folder if suffix is None else check_file
    for path in files:
        check(path, overwrite=request.overwrite)


def _check_given(request: Request) -> None:
    """What can be known of it without the model, which takes long to load."""
    if request.do == "decode":
        check_codes_file(Path(request.given).expanduser(), key="INPUT")
        return
    for key, text in _given(request).items():
        check_source(text, key=key)


def _given(request: Request) -> dict[str, str]:
    """What is read, by what asked for it."""
    return {"INPUT": request.given, **({"--baseline": request.baseline} if request.do == "score" else {})}
