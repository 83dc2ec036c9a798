"""A request to apply a trained model: it is checked, then carried out."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autoenc.application.array_files import SUFFIXES
from autoenc.application.codes import StoredCodes, check_codes_file, encode
from autoenc.application.image_batches import Fitting, ImageSource, counted
from autoenc.application.inputs import Datasets, check_input, open_input
from autoenc.application.onnx_export import PartName, export
from autoenc.application.picture_files import Unreadable
from autoenc.application.reconstructions import decode, denoise, reconstruct
from autoenc.application.scoring import score, score_files
from autoenc.data.datasets import Dataset
from autoenc.data.datasets.image_files import MAX_PIXELS, Resize
from autoenc.devices import plain_device
from autoenc.display_names import run_label
from autoenc.runs import printable
from autoenc.settings import ConfigError
from autoenc.trained_model import TrainedModel, load_run

log = logging.getLogger(__name__)

Action = Literal["reconstruct", "denoise", "encode", "decode", "score", "export"]

MOST_IN_A_BATCH = 512
MOST_PIXELS = 2**22
"""Values of the images of one batch."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to do with which model and which pictures."""

    run: Path
    given: str | None = None
    """INPUT: see `open_input`; for `decode`, a file of codes; for `export`, None."""
    output: Path
    do: Action = "reconstruct"
    device: str = "auto"
    batch_size: int | None = None
    """None: as many images as have `MOST_PIXELS` values."""
    limit: int | None = None
    unreadable: Unreadable = "error"
    resize: Resize | None = None
    """None: as the run's own pictures were resized, or stretched if they were not."""
    invert: bool = False
    white: float | None = None
    """The number in the files of pictures that becomes white; None: as the run's own pictures were read."""
    max_pixels: int | None = None
    """Larger pictures are not read; None: as the run's own pictures were read."""
    baseline: str = "run:test"
    """The ordinary pictures, for `score`; like `given`."""
    part: PartName = "autoencoder"
    """What to export."""
    overwrite: bool = False
    data_dir: Path | None = None
    """None: the run's own."""
    dataset_path: str | None = None
    """Where the run's folder of pictures is now, if it was moved."""

    @property
    def inputs(self) -> dict[str, str]:
        """What is read, by its option."""
        given = {} if self.given is None else {"INPUT": self.given}
        return {**given, "--baseline": self.baseline} if self.do == "score" else given

    @property
    def outputs(self) -> Sequence[Path]:
        """The files, or the folder, that are written."""
        return score_files(self.output) if self.do == "score" else (self.output,)


def apply(request: Request, *, usual_dataset: Callable[[str], Dataset]) -> None:
    """Carry out a request; `usual_dataset` maps the name of a dataset to its usual settings.

    Raises:
        ValueError: the request is impossible; the message is one line.
        OSError: a file cannot be written.
    """
    _check_outputs(request)
    _check_white(request)
    for key, text in request.inputs.items():
        if request.do == "decode":
            check_codes_file(Path(text).expanduser(), key=key)
        else:
            check_input(text, key=key)
    # All of the above is fast; the model takes long to load.
    device = plain_device(request.device)
    device.set_threads()
    run = load_run(request.run, device=device.torch_device, dataset_path=request.dataset_path)
    _check_model(request, run)
    log.info("The model of %s: %s.", request.run, run_label(run.config.values))
    batch_size = request.batch_size or max(1, min(MOST_IN_A_BATCH, MOST_PIXELS // math.prod(run.image_shape)))
    if request.do == "export":
        export(run, request.output, part=request.part)
    elif request.do == "decode":
        code_size, path = run.config.architecture.code_size, Path(request.inputs["INPUT"]).expanduser()
        codes = StoredCodes.open(path, key="INPUT", code_size=code_size, limit=request.limit)
        decode(run, codes, request.output, batch_size=batch_size)
    else:
        _apply_to_pictures(run, request, usual_dataset=usual_dataset, batch_size=batch_size)
    log.info("Written: %s", request.output)


def _apply_to_pictures(
    run: TrainedModel, request: Request, *, usual_dataset: Callable[[str], Dataset], batch_size: int
) -> None:
    data_dir = request.data_dir or run.config.data_dir
    datasets = Datasets(
        usual=usual_dataset,
        own=run.config.dataset,
        own_split=functools.partial(run.split, data_dir=data_dir),
        data_dir=data_dir,
    )

    def opened(key: str, *, invert: bool, limit: int | None) -> ImageSource:
        white = run.white if request.white is None else request.white
        own_limit: int = getattr(run.config.dataset, "max_pixels", MAX_PIXELS)
        fitting = Fitting(
            image_shape=run.image_shape,
            resize=_resize(request, run),
            invert=invert,
            white=white,
            max_pixels=own_limit if request.max_pixels is None else request.max_pixels,
            pixel_limits=run.pixel_limits,
        )
        text, unreadable = request.inputs[key], request.unreadable
        return open_input(text, key=key, fitting=fitting, datasets=datasets, unreadable=unreadable, limit=limit)

    source = opened("INPUT", invert=request.invert, limit=request.limit)
    log.info("%s of %s.", counted(len(source.names)), printable(source.description))
    if request.do == "score":
        baseline = opened("--baseline", invert=False, limit=None)
        score(run, source, request.output, baseline=baseline, batch_size=batch_size)
    else:
        work = {"reconstruct": reconstruct, "denoise": denoise, "encode": encode}[request.do]
        work(run, source, request.output, batch_size=batch_size)


def _resize(request: Request, run: TrainedModel) -> Resize:
    own: Resize = getattr(run.config.dataset, "resize", "stretch")
    return own if request.resize is None else request.resize


def _check_outputs(request: Request) -> None:
    suffix = {"encode": ".npz", "score": ".csv", "export": ".onnx"}.get(request.do)
    if suffix is not None and request.output.suffix.lower() != suffix:
        raise _wrong_output(f"it must be the name of a {suffix} file", request.output)
    for path in request.outputs:  # before the next check, which would recommend --overwrite
        for key, text in request.inputs.items():
            _check_apart(path, given=text, key=key)
    for path in request.outputs:
        if path.exists() and path.is_dir() != (suffix is None):
            there, wanted = ("a folder", "a file") if path.is_dir() else ("a file", "a folder for the pictures")
            raise _wrong_output(f"this is {there}, and should be {wanted}", path)
        if path.is_file() and not request.overwrite:
            raise _wrong_output("this file exists; --overwrite replaces it", path)
        if path.is_dir() and any(path.iterdir()) and not request.overwrite:
            problem = "this folder is not empty; --overwrite replaces the files in it that have the same names"
            raise _wrong_output(problem, path)


def _check_white(request: Request) -> None:
    """Refuse a white level where no picture files are read: arrays and datasets have their own scale."""
    if request.white is None:
        return
    path = Path(request.inputs["INPUT"]).expanduser()
    if not path.exists() or path.suffix.lower() in SUFFIXES:
        problem = "it is for picture files, and INPUT is an array or a dataset; divide an array by its white"
        raise ConfigError("--white", problem, value=request.white)


def _check_apart(path: Path, *, given: str, key: str) -> None:
    """Refuse to write where the pictures are: they could be replaced, or the results taken for some of them."""
    here, there = path.resolve(), Path(given).expanduser().resolve()
    if there.exists() and (here == there or here in there.parents or there in here.parents):
        raise _wrong_output(f"{key} is there too; the results need a place of their own", path)


def _wrong_output(problem: str, path: Path) -> ConfigError:
    return ConfigError("OUTPUT", problem, value=str(path))


def _check_model(request: Request, run: TrainedModel) -> None:
    own = getattr(run.config.dataset, "path", None)
    if own is not None:  # `run:test` may be read from a folder of pictures, which must not be replaced either
        for path in request.outputs:
            _check_apart(path, given=own, key="the run's dataset.path")
    if run.image_shape[0] not in {1, 3} and request.do not in {"encode", "export"}:
        problem = f"pictures are grey or coloured, and this model's have {run.image_shape[0]} channels"
        raise ConfigError("--do", problem, value=request.do)
    if request.invert and _resize(request, run) == "pad":  # the padding would become a white frame
        problem = "pictures are padded with black before they are inverted; take --resize stretch or crop with --invert"
        raise ConfigError("--resize", problem, value="pad")
