"""`load_run`, and the model that it returns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import autoenc
from autoenc.data.datasets import Splits
from autoenc.data.datasets.digits import Digits
from autoenc.models.autoencoder import AutoEncoder
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.trained_model import PixelLimits, scale_problem
from autoenc.training.checkpoints import Checkpoint, CheckpointError, load_last, save_last
from tests.conftest import Train
from tests.meta_device import META, meta_device


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from autoenc.command_line import main
    from tests.conftest import TINY

    run = tmp_path_factory.mktemp("finished") / "run"
    assert main([*TINY, "architecture=conv", "architecture.channels=[4]", f"hydra.run.dir={run}"]) == 0
    return run


def test_a_run_gives_its_model_back(finished: Path) -> None:
    run = autoenc.load_run(finished)
    assert run.image_shape == (1, 8, 8)
    assert run.config.training.epochs == 3
    assert not run.model.training
    summary = RunDirectory(finished).summary()
    splits = run.config.dataset.build(data_dir=run.config.data_dir)
    images = splits.test.images
    error = (run.reconstruct(images) - images / 255).square().mean().item()
    assert error == pytest.approx(summary["test"]["mse"], rel=1e-5)


def test_tensors_give_tensors_and_arrays_give_arrays(finished: Path) -> None:
    run = autoenc.load_run(str(finished))
    images = torch.rand(5, 1, 8, 8, dtype=torch.float64)
    code = run.encode(images)
    assert code.shape == (5, 3)
    assert isinstance(code, torch.Tensor)
    array = run.encode(images.numpy())
    assert isinstance(array, np.ndarray)
    assert np.array_equal(array, code.numpy())
    assert torch.equal(run.decode(code), run.reconstruct(images))
    assert isinstance(run.decode(array), np.ndarray)
    assert not run.reconstruct(images).requires_grad


def test_a_single_image_and_a_single_code_are_accepted(finished: Path) -> None:
    run = autoenc.load_run(finished)
    image = np.random.default_rng(0).integers(0, 256, size=(1, 8, 8), dtype=np.uint8)
    assert run.encode(image).shape == (3,)
    assert run.decode(run.encode(image)).shape == (1, 8, 8)
    batch = run.reconstruct(image[None].astype(np.float32) / 255)
    np.testing.assert_allclose(run.reconstruct(image), batch[0], rtol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (2, 3, 8, 8)])
def test_a_wrong_shape_is_refused(finished: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected shape \(N, 1, 8, 8\) or \(1, 8, 8\), not \("):
        autoenc.load_run(finished).encode(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"expected shape \(N, 3\) or \(3\), not \(4,\)"):
        autoenc.load_run(finished).decode(torch.zeros(4))


def test_integers_other_than_bytes_are_refused(finished: Path) -> None:
    """They could be from 0 to 255 or from 0 to 1."""
    with pytest.raises(ValueError, match=r"floats in \[0, 1\] or uint8 from 0 to 255, not torch.int64"):
        autoenc.load_run(finished).encode(torch.zeros(1, 1, 8, 8, dtype=torch.int64))


DIGITS = load_digits().images[:, None]
"""(1797, 1, 8, 8), from 0 to 16."""
STROKE = np.zeros((1, 8, 8))
"""A single image with few white pixels."""
STROKE[0, 2:7, 4] = 1


@pytest.mark.parametrize(
    ("images", "found", "advice"),
    [
        (DIGITS, "from 0 to 16, and 4[78]", "divide by 16"),
        (DIGITS * 255 / 16, "from 0 to 255, and ", "divide by 255"),
        (DIGITS / 8 - 1, "from -1 to 1, and 67", r"map them by \(x \+ 1\) / 2"),
        ((DIGITS - DIGITS.mean()) / DIGITS.std(), "from -0.8118 to 1.847, and ", "undo their normalization"),
        ((STROKE - 0.1307) / 0.3081, "from -0.4242 to 2.82[12], and 100 %", "undo their normalization"),
        (1 - 2 * STROKE, "from -1 to 1, and 7.81 %", r"map them by \(x \+ 1\) / 2"),
        (17.0 * (np.arange(640).reshape(10, 1, 8, 8) == 99), "from 0 to 17, and 0.156 %", "divide by 255"),
    ],
    ids=["digits", "bytes", "normalized", "standardized", "few far", "few below 0", "nearly black"],
)
@pytest.mark.parametrize("method", ["encode", "reconstruct", "errors"])
def test_pixels_on_another_scale_are_refused(
    finished: Path, method: str, images: NDArray[Any], found: str, advice: str
) -> None:
    """scikit-learn's digits, from 0 to 16, were answered with an error of 52."""
    with pytest.raises(ValueError, match=rf"^pixels must be floats in \[0, 1\]; .*{found}.*; {advice}"):
        getattr(autoenc.load_run(finished), method)(images)


@pytest.mark.parametrize("std", [0.1, 0.3])
def test_noise_may_take_pixels_out_of_0_to_1(finished: Path, std: float) -> None:
    noisy = DIGITS / 16 + np.random.default_rng(0).normal(0, std, DIGITS.shape)
    assert (noisy < 0).mean() > 0.2
    assert autoenc.load_run(finished).errors(noisy).mean() < 1


def test_black_and_white_images_are_taken_with_and_without_noise(finished: Path) -> None:
    run = autoenc.load_run(finished)
    for clean in (STROKE, 1 - STROKE, np.zeros((300, 1, 8, 8)), np.ones((300, 1, 8, 8))):
        noisy = clean + np.random.default_rng(0).normal(0, 0.3, clean.shape)
        assert np.isfinite(run.errors(clean)).all()
        assert np.isfinite(run.errors(noisy)).all()


def test_a_run_takes_white_images_with_its_own_noise_that_brightens(train: Train) -> None:
    run = autoenc.load_run(train("noise=dropout", "noise.probability=0.3", "training.epochs=1"))
    noisy = run.config.noise(torch.ones(50, 1, 8, 8), generator=torch.Generator().manual_seed(1)).images
    assert (noisy > 1).float().mean() > 0.65
    with pytest.raises(ValueError, match="some of these are not finite"):
        run.encode(torch.full_like(noisy, float("nan")))
    assert run.reconstruct(noisy).isfinite().all()


def test_a_run_takes_its_own_noise_that_is_not_clipped(train: Train, finished: Path) -> None:
    run = autoenc.load_run(train("noise.std=0.6", "noise.clip=false", "training.epochs=1"))
    images = torch.from_numpy(DIGITS / 16).float()
    noisy = run.config.noise(images, generator=torch.Generator().manual_seed(1)).images
    assert run.reconstruct(noisy).isfinite().all()
    with pytest.raises(ValueError, match="or clip their noise"):
        autoenc.load_run(finished).reconstruct(noisy)
    for wrong in (DIGITS, DIGITS / 8 - 1):
        with pytest.raises(ValueError, match=r"pixels must be floats in \[0, 1\]"):
            run.reconstruct(wrong)


def test_many_images_are_encoded_in_batches(finished: Path) -> None:
    run = autoenc.load_run(finished)
    images = torch.from_numpy(DIGITS / 16)
    codes = run.encode(images)
    assert codes.shape == (1797, 3)
    torch.testing.assert_close(codes[1500:], run.encode(images[1500:]))
    assert run.encode(images[:0]).shape == (0, 3)


def test_a_read_only_array_is_accepted(finished: Path) -> None:
    image = np.zeros((1, 8, 8), dtype=np.float32)
    image.flags.writeable = False
    assert autoenc.load_run(finished).encode(image).shape == (3,)


def test_repr_names_the_choices(finished: Path) -> None:
    expected = "TrainedModel(architecture=conv, bottleneck=plain, dataset=digits, code_size=3, image_shape=(1, 8, 8))"
    assert repr(autoenc.load_run(finished)) == expected


def test_codes_are_never_rescaled(finished: Path) -> None:
    run = autoenc.load_run(finished)
    code = torch.tensor([[3, 1, 2]], dtype=torch.uint8)
    assert torch.equal(run.decode(code), run.decode(code.float()))


@pytest.mark.parametrize("shape", [None, [1, 8], [1, 8, "8"], [0, 8, 8]])
def test_a_checkpoint_without_an_image_shape_is_refused(finished: Path, shape: object, tmp_path: Path) -> None:
    RunDirectory.begin(tmp_path / "run", config=RunDirectory(finished).config())
    save_last(tmp_path / "run" / "checkpoints", Checkpoint({}, {}, {"image_shape": shape}))
    with pytest.raises(CheckpointError, match="has no valid image_shape"):
        autoenc.load_run(tmp_path / "run")


@pytest.mark.parametrize("stored", [{}, {"white": None}, {"white": 4095}, {"white": 0.5}])
def test_the_value_of_white_is_that_of_the_checkpoint(finished: Path, stored: dict[str, float], tmp_path: Path) -> None:
    checkpoint = load_last(RunDirectory(finished).checkpoints)
    assert checkpoint is not None
    assert checkpoint.values.pop("white") is None  # the digits have no such setting; earlier runs had no such value
    RunDirectory.begin(tmp_path / "run", config=RunDirectory(finished).config())
    save_last(tmp_path / "run" / "checkpoints", checkpoint._replace(values={**checkpoint.values, **stored}))
    assert autoenc.load_run(tmp_path / "run").white == stored.get("white")


@pytest.mark.parametrize("white", [0, -1, "max", [1], float("nan")])
def test_a_checkpoint_with_an_impossible_white_is_refused(finished: Path, white: object, tmp_path: Path) -> None:
    RunDirectory.begin(tmp_path / "run", config=RunDirectory(finished).config())
    save_last(tmp_path / "run" / "checkpoints", Checkpoint({}, {}, {"image_shape": [1, 8, 8], "white": white}))
    with pytest.raises(CheckpointError, match="has no valid white"):
        autoenc.load_run(tmp_path / "run")


def test_loading_leaves_the_random_state_alone(finished: Path) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    autoenc.load_run(finished)
    assert torch.equal(torch.rand(3), expected)


def test_without_a_best_checkpoint_the_last_is_loaded(train: Train) -> None:
    run = train("dataset.validation_fraction=0")
    summary = RunDirectory(run).summary()
    model = autoenc.load_run(run)
    images = model.config.dataset.build(data_dir=model.config.data_dir).test.images
    error = (model.reconstruct(images) - images / 255).square().mean().item()
    assert error == pytest.approx(summary["test"]["mse"], rel=1e-5)


def test_a_folder_without_a_run_or_a_checkpoint_is_refused(tmp_path: Path, finished: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        autoenc.load_run(tmp_path / "nowhere")
    RunDirectory.begin(tmp_path / "run", config=RunDirectory(finished).config())
    with pytest.raises(CheckpointError, match="the run has no checkpoint yet"):
        autoenc.load_run(tmp_path / "run")


@pytest.mark.parametrize("device", ["cuda:99", "warp"])
def test_a_device_that_is_not_here_is_refused_in_one_line(finished: Path, device: str) -> None:
    with pytest.raises(ConfigError, match=rf"^device={device}: there is none; this machine has [a-z, ]+$"):
        autoenc.load_run(finished, device=device)


def test_nothing_in_the_folder_is_executed(tmp_path: Path, finished: Path) -> None:
    config = RunDirectory(finished).config()
    config["architecture"] = {"name": "os.system", "_target_": "os.system"}
    RunDirectory.begin(tmp_path / "run", config=config)
    with pytest.raises(ConfigError, match=r"architecture.name=os.system: there is no such choice"):
        autoenc.load_run(tmp_path / "run")


def test_importing_the_package_imports_no_torch() -> None:
    program = "import sys, autoenc; assert 'torch' not in sys.modules; autoenc.load_run; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_package_exports_its_names_and_no_others() -> None:
    assert autoenc.AutoEncoder is AutoEncoder
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        autoenc.nothing  # noqa: B018


def test_a_split_has_images_labels_and_positions(train: Train) -> None:
    run = autoenc.load_run(train("dataset.limit=null", "dataset.test_limit=null", "training.epochs=1"))
    digits = load_digits()
    for name, size in (("train", 1293), ("validation", 144), ("test", 360)):
        split = run.split(name)
        assert len(split) == size
        assert split.names is None
        np.testing.assert_array_equal(digits.target[split.indices], split.labels)
        np.testing.assert_array_equal(np.rint(DIGITS[split.indices] * 255 / 16), split.images)
    test = run.split("test")
    assert run.errors(test.images).mean().item() == pytest.approx(RunDirectory(Path("run")).summary()["test"]["mse"])
    with pytest.raises(
        ConfigError, match=r"^split=val: there is no such split; the splits are train, validation, test$"
    ):
        run.split("val")


def test_a_linear_probe_on_codes_joins_labels_by_position(train: Train) -> None:
    """At chance when positions are taken for those within the split."""
    run = autoenc.load_run(
        train("architecture.code_size=16", "dataset.limit=null", "dataset.test_limit=null", "noise=none")
    )
    split, labels = run.split("train"), load_digits().target
    codes = run.encode(split.images)
    right, wrong = (
        LogisticRegression(max_iter=1000)
        .fit(codes[:1000], labels[joined[:1000]])
        .score(codes[1000:], labels[joined[1000:]])
        for joined in (split.indices, torch.arange(len(split)))
    )
    assert right > 0.7
    assert wrong < 0.25


def test_the_folder_of_the_data_is_the_argument_s_the_environment_s_or_the_run_s(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Path] = []
    build = Digits.build

    def recording(dataset: Digits, *, data_dir: Path) -> Splits:
        given.append(data_dir)
        return build(dataset, data_dir=data_dir)

    monkeypatch.setattr(Digits, "build", recording)
    monkeypatch.delenv("AUTOENC_DATA", raising=False)
    autoenc.load_run(finished).split("test")
    monkeypatch.setenv("AUTOENC_DATA", "/environment")
    autoenc.load_run(finished).split("test")
    autoenc.load_run(finished).split("test", data_dir="/argument")
    own = Path(RunDirectory(finished).config()["data_dir"])
    assert given == [own, Path("/environment"), Path("/argument")]


def test_the_scale_of_pixels_is_checked_without_float64_which_apples_gpus_do_not_have() -> None:
    with meta_device(torch.zeros) as transfers:
        assert scale_problem(torch.zeros(2, 1, 8, 8, device=META), limits=PixelLimits()) == ""
    assert transfers.doubles == []
    assert transfers.unmarked_reads == set()
