from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from autoenc.data.datasets.image_files import Resize, UnreadablePicture, find_pictures, read_picture

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
Colour = tuple[int, int, int]


def quarters(mode: str = "RGB") -> Image.Image:
    """16 wide and 8 high: red and green above, blue and white below."""
    image = Image.new("RGB", (16, 8))
    for corner, colour in (((0, 0), RED), ((8, 0), GREEN), ((0, 4), BLUE), ((8, 4), WHITE)):
        image.paste(colour, (*corner, corner[0] + 8, corner[1] + 4))
    return image.convert(mode)


def read(path: Path, *, channels: int = 3, size: tuple[int, int] = (8, 16), resize: Resize = "stretch") -> torch.Tensor:
    image = read_picture(path, channels=channels, size=size, resize=resize).image
    assert image.dtype == torch.uint8
    assert image.shape == (channels, *size)
    assert image.is_contiguous()
    return image


def corners(image: torch.Tensor) -> list[tuple[int, ...]]:
    """The colours of the four corners: above left and right, below left and right."""
    return [tuple(image[:, row, column].tolist()) for row in (0, -1) for column in (0, -1)]


def near(found: list[tuple[int, ...]], expected: list[Colour], *, tolerance: int) -> bool:
    return all(
        abs(one - other) <= tolerance
        for these, those in zip(found, expected, strict=True)
        for one, other in zip(these, those, strict=True)
    )


# --- formats ---


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm", ".tif", ".TIFF", ".webp", ".gif"])
def test_a_picture_keeps_its_pixels(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    quarters().save(path, lossless=True)  # which only WebP asks for
    image = read(path)
    assert corners(image) == [RED, GREEN, BLUE, WHITE]
    assert image[:, 3, 7].tolist() == list(RED)
    assert image[:, 4, 8].tolist() == list(WHITE)
    assert image.float().mean(dim=(1, 2)).tolist() == [127.5, 127.5, 127.5]


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".jp2"])
def test_a_lossy_picture_nearly_keeps_its_pixels(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    quarters().resize((64, 32), Image.Resampling.NEAREST).save(path)
    assert near(corners(read(path, size=(32, 64))), [RED, GREEN, BLUE, WHITE], tolerance=12)


def test_colour_becomes_grey_by_its_brightness(tmp_path: Path) -> None:
    quarters().save(tmp_path / "picture.png")
    image = read(tmp_path / "picture.png", channels=1)
    assert [value[0] for value in corners(image)] == [76, 150, 29, 255]  # 0.299, 0.587 and 0.114 of 255 (BT.601)


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    Image.fromarray(np.arange(128, dtype=np.uint8).reshape(8, 16)).save(tmp_path / "grey.png")
    image = read(tmp_path / "grey.png")
    assert all(torch.equal(channel.flatten(), torch.arange(128, dtype=torch.uint8)) for channel in image)
    assert torch.equal(read(tmp_path / "grey.png", channels=1)[0], image[0])


@pytest.mark.parametrize("channels", [1, 3])
def test_transparent_pixels_become_white(tmp_path: Path, channels: int) -> None:
    image = quarters("RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.putpixel((15, 7), (0, 0, 0, 128))
    image.save(tmp_path / "picture.png")
    found = corners(read(tmp_path / "picture.png", channels=channels))
    assert found[0] == (255,) * channels
    assert near([found[3]], [(127, 127, 127)[:channels]], tolerance=1)  # type: ignore[list-item]
    assert found[1] == (GREEN if channels == 3 else (150,))
    Image.new("LA", (16, 8), (10, 0)).save(tmp_path / "grey.png")
    assert read(tmp_path / "grey.png", channels=channels).min() == 255


def test_a_palette_with_and_without_transparency(tmp_path: Path) -> None:
    image = quarters().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    image.save(tmp_path / "plain.png")
    image.save(tmp_path / "see_through.png", transparency=image.getpixel((0, 0)))
    image.save(tmp_path / "bytes.png", transparency=bytes([255, 255, 255, 255]))
    assert corners(read(tmp_path / "plain.png")) == [RED, GREEN, BLUE, WHITE]
    assert corners(read(tmp_path / "see_through.png")) == [WHITE, GREEN, BLUE, WHITE]
    assert corners(read(tmp_path / "bytes.png")) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_sixteen_bits_become_eight(tmp_path: Path, suffix: str) -> None:
    values = np.arange(128, dtype=np.uint16).reshape(8, 16) * 516  # 0 to 65,532
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(values).save(path)
    expected = np.rint(values / 65_535 * 255).astype(np.uint8)
    assert np.array_equal(read(path, channels=1)[0].numpy(), expected)
    assert np.array_equal(read(path)[2].numpy(), expected)


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    for name in ("picture.tif", "picture.jpg"):
        quarters("CMYK").resize((64, 32), Image.Resampling.NEAREST).save(tmp_path / name, quality=95)
        assert near(corners(read(tmp_path / name, size=(32, 64))), [RED, GREEN, BLUE, WHITE], tolerance=12)


def test_only_the_first_frame_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 8), colour) for colour in (BLUE, RED)]
    for name in ("picture.gif", "picture.tif", "picture.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert near(corners(read(tmp_path / name)), [BLUE] * 4, tolerance=2)


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [RED, GREEN, BLUE, WHITE]),
        (3, [WHITE, BLUE, GREEN, RED]),
        (5, [RED, BLUE, GREEN, WHITE]),
        (6, [BLUE, RED, WHITE, GREEN]),
        (8, [GREEN, WHITE, RED, BLUE]),
    ],
)
@pytest.mark.parametrize("name", ["picture.jpg", "picture.png"])
def test_a_picture_is_rotated_by_its_exif_orientation(
    tmp_path: Path, name: str, orientation: int, expected: list[Colour]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    quarters().resize((64, 32), Image.Resampling.NEAREST).save(tmp_path / name, exif=exif, quality=95)
    size = (64, 32) if orientation > 4 else (32, 64)
    assert near(corners(read(tmp_path / name, size=size)), expected, tolerance=12)


# --- sizes ---


def test_cropping_takes_the_middle(tmp_path: Path) -> None:
    stripes = Image.new("RGB", (16, 8), RED)
    stripes.paste(GREEN, (4, 0, 12, 8))
    stripes.save(tmp_path / "wide.png")
    stripes.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "high.png")
    for name in ("wide.png", "high.png"):
        image = read(tmp_path / name, size=(8, 8), resize="crop")
        assert torch.equal(image, torch.tensor(GREEN, dtype=torch.uint8).reshape(3, 1, 1).expand(3, 8, 8))


def test_padding_puts_black_on_both_sides(tmp_path: Path) -> None:
    Image.new("RGB", (16, 8), WHITE).save(tmp_path / "wide.png")
    Image.new("RGB", (8, 16), WHITE).save(tmp_path / "high.png")
    wide = read(tmp_path / "wide.png", size=(16, 16), resize="pad")
    assert wide[0].float().mean(dim=1).tolist() == [0.0] * 4 + [255.0] * 8 + [0.0] * 4
    assert torch.equal(read(tmp_path / "high.png", size=(16, 16), resize="pad"), wide.mT)


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("shape", [(1, 500), (500, 1), (1, 1), (500, 300)])
def test_every_shape_can_be_resized(tmp_path: Path, resize: Resize, shape: tuple[int, int]) -> None:
    Image.new("L", shape, 200).save(tmp_path / "picture.png")
    image = read(tmp_path / "picture.png", size=(5, 9), resize=resize)
    assert image.max() == 200
    if resize != "pad":
        assert image.min() == 200


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("name", ["picture.png", "picture.jpg"])
def test_fine_patterns_become_grey_and_do_not_alias(tmp_path: Path, resize: Resize, name: str) -> None:
    board = np.indices((256, 256)).sum(axis=0) % 2 * 255
    Image.fromarray(board.astype(np.uint8)).save(tmp_path / name, quality=95)
    image = read(tmp_path / name, channels=1, size=(32, 32), resize=resize)
    assert (image.int() - 128).abs().max() <= 4


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(tmp_path: Path) -> None:
    scene = quarters().resize((1600, 800), Image.Resampling.BICUBIC)
    scene.save(tmp_path / "scene.jpg", quality=95)
    scene.save(tmp_path / "scene.png")
    small, exact = (read(tmp_path / name, size=(20, 20), resize="crop") for name in ("scene.jpg", "scene.png"))
    assert (small.int() - exact.int()).abs().max() <= 8


# --- unreadable files ---


def truncated(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-500])


def unreadable(folder: Path, kind: str) -> Path:
    path = folder / ("picture.jpg" if kind == "truncated JPEG" else "picture.png")
    if kind.startswith("truncated"):
        truncated(path)
    elif kind == "damaged":
        quarters().save(path)
        path.write_bytes(path.read_bytes().replace(b"IDAT", b"IDAT\xff\xff\xff\xff", 1))
    elif kind == "floating":
        Image.new("F", (4, 4), 0.5).save(path, format="TIFF")
    elif kind == "wide":
        Image.fromarray(np.full((4, 4), 70_000, dtype=np.int32)).save(path, format="TIFF")
    elif kind == "unusual":
        quarters().save(path, format="PCX")
    elif kind == "link":
        path.symlink_to(folder / "nowhere")
    else:
        path.write_bytes({"empty": b"", "script": b"%!PS-Adobe-3.0 EPSF-3.0\n"}[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("truncated PNG", "truncated"),
        ("truncated JPEG", "truncated"),
        ("damaged", "broken data stream"),
        ("floating", "floating-point"),
        ("wide", "its pixels go from 70000 to 70000, which is more than 16 bits"),
        ("link", "No such file or directory"),
        ("empty", "no picture of a known format"),
        ("unusual", "no picture of a known format"),
        ("script", "no picture of a known format"),
    ],
)
def test_an_unreadable_file_is_named_with_the_reason(tmp_path: Path, kind: str, reason: str) -> None:
    path = unreadable(tmp_path, kind)
    with pytest.raises(UnreadablePicture, match=reason) as caught:
        read(path)
    assert caught.value.path == path
    assert caught.value.reason
    assert "\n" not in caught.value.reason
    assert str(caught.value) == f"{path}: {caught.value.reason}"


def test_a_decompression_bomb_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for side in (40, 80):  # Pillow warns of the first and refuses the second
        Image.new("L", (side, side)).save(tmp_path / f"{side}.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for side in (40, 80):
        with pytest.raises(UnreadablePicture, match="it has more than 0 megapixels"):
            read(tmp_path / f"{side}.png")


def test_reading_in_threads_does_not_change_the_warning_filters(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for number, path in enumerate(paths):
        Image.new("L", (8, 8), number).save(path)
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as threads:
        images = list(threads.map(lambda path: read(path, channels=1, size=(4, 4)), paths * 5))
    assert [int(image[0, 0, 0]) for image in images] == [*range(40)] * 5
    assert list(warnings.filters) == before


def test_running_out_of_memory_is_not_reported_as_a_bad_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*arguments: object, **options: object) -> None:
        raise MemoryError

    quarters().save(tmp_path / "picture.png")
    monkeypatch.setattr(Image.Image, "convert", exhausted)
    with pytest.raises(MemoryError):
        read(tmp_path / "picture.png")


# --- finding ---


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_pictures(folder).pictures]


def test_pictures_are_found_by_their_suffixes_and_sorted(tmp_path: Path) -> None:
    touch(tmp_path, "._a.png", ".thumbnails/b.png", "b.PNG", "a.jpg", "b/z.gif", "b/deeper/y.tiff")
    touch(tmp_path, "notes.txt", "a.jpg.bak", "png", "c/README")
    assert names(tmp_path) == ["a.jpg", "b/deeper/y.tiff", "b/z.gif", "b.PNG"]
    assert find_pictures(tmp_path).others == {".txt": 1, ".bak": 1, "": 2}


def test_links_are_followed_but_circles_are_not(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/a.png", "set/b.png")
    (tmp_path / "set/linked").symlink_to(tmp_path / "elsewhere")
    for circle in ("one", "two"):
        (tmp_path / f"set/{circle}").symlink_to(tmp_path / "set")
    assert names(tmp_path / "set") == ["b.png", "linked/a.png"]
