from __future__ import annotations

import contextlib
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from autoenc.data.datasets.image_files import (
    _FORMATS,
    ReadPicture,
    Resize,
    UnreadablePicture,
    count_pages,
    read_picture,
)
from autoenc.data.datasets.picture_facts import PictureFacts
from autoenc.data.datasets.picture_search import SUFFIXES, find_pictures

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
Colour = tuple[int, int, int]


def quarters(mode: str = "RGB") -> Image.Image:
    """16 wide and 8 high: red and green above, blue and white below."""
    image = Image.new("RGB", (16, 8))
    for corner, colour in (((0, 0), RED), ((8, 0), GREEN), ((0, 4), BLUE), ((8, 4), WHITE)):
        image.paste(colour, (*corner, corner[0] + 8, corner[1] + 4))
    return image.convert(mode)


def read(path: Path, *, channels: int = 3, size: tuple[int, int] = (8, 16), resize: Resize = "stretch") -> torch.Tensor:
    return whole(path, channels=channels, size=size, resize=resize).image


def whole(
    path: Path,
    *,
    channels: int = 3,
    size: tuple[int, int] = (8, 16),
    resize: Resize = "stretch",
    white: float | None = None,
    page: int = 0,
) -> ReadPicture:
    """The image of a picture, and the facts about its file."""
    found = read_picture(path, channels=channels, size=size, resize=resize, white=white, page=page)
    assert found.image.dtype == torch.uint8
    assert found.image.shape == (channels, *size)
    assert found.image.is_contiguous()
    return found


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


# --- pages ---


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp", ".png"])
def test_each_page_can_be_read_and_the_first_is_the_default(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    pages = [Image.new("RGB", (16, 8), colour) for colour in (BLUE, RED, GREEN)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert near(corners(read(path)), [BLUE] * 4, tolerance=2)
    for page, colour in enumerate((BLUE, RED, GREEN)):
        found = whole(path, page=page)
        assert near(corners(found.image), [colour] * 4, tolerance=2)
        assert found.facts.pages == 3
    assert count_pages(path) == 3


def test_a_file_with_one_page_has_one_page(tmp_path: Path) -> None:
    quarters().save(tmp_path / "picture.tif")
    frames = [quarters(), quarters()]
    frames[0].save(tmp_path / "preview.jpg", format="MPO", save_all=True, append_images=frames[1:])
    (tmp_path / "text.tif").write_text("a text")
    for name in ("picture.tif", "preview.jpg", "text.tif"):  # in a JPEG, a second image is no page
        assert count_pages(tmp_path / name) == 1
    assert whole(tmp_path / "preview.jpg").facts.pages == 1


def test_a_damaged_later_page_leaves_the_first_readable(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    pages = [Image.new("L", (64, 64), 50 * page) for page in range(3)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    path.write_bytes(path.read_bytes()[:6000])  # of 4,096 bytes for each page
    assert whole(path).image.max() == 0
    with pytest.raises(UnreadablePicture):
        whole(path, page=2)


# --- white ---


def test_sixteen_bits_are_scaled_by_65535(tmp_path: Path) -> None:
    values = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(values).save(tmp_path / "all.png")
    exact = (values.astype(np.int64) * 255 + 32_767) // 65_535
    assert np.array_equal(read(tmp_path / "all.png", channels=1, size=(256, 256))[0].numpy(), exact)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_white_is_what_the_setting_says(tmp_path: Path, dtype: type) -> None:
    values: NDArray[Any] = np.array([[0, 1, 2, 50, 99, 100, 101, 250]] * 8, dtype=dtype)
    Image.fromarray(values).save(tmp_path / "picture.tif")
    found = whole(tmp_path / "picture.tif", channels=1, size=(8, 8), white=100)
    assert found.image[0, 0].tolist() == [0, 3, 5, 128, 252, 255, 255, 255]  # round(255 * value / 100), to the even
    kinds = {np.uint8: "8 bits", np.float32: "floating-point numbers"}
    assert found.facts == PictureFacts(kinds.get(dtype, "integers of more than 8 bits"), 0, 250, 1, (8, 8))  # type: ignore[arg-type]


def test_white_applies_to_each_colour_and_leaves_transparent_pixels_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (16, 8), (5, 10, 0, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.save(tmp_path / "picture.png")
    found = corners(whole(tmp_path / "picture.png", white=10).image)
    assert found == [WHITE, *[(128, 255, 0)] * 3]


def test_numbers_below_black_are_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.array([[-1.0, 0.0, 0.25, 1.0]] * 4, dtype=np.float32)).save(tmp_path / "picture.tif")
    found = whole(tmp_path / "picture.tif", channels=1, size=(4, 4), white=1)
    assert found.image[0, 0].tolist() == [0, 0, 64, 255]
    assert found.facts == PictureFacts("floating-point numbers", -1, 1, 1, (4, 4))


def test_the_range_is_that_of_the_file_and_not_of_the_small_image(tmp_path: Path) -> None:
    image = Image.new("L", (64, 64), 3)
    image.putpixel((5, 5), 200)
    image.save(tmp_path / "star.png")
    Image.new("RGB", (16, 8), BLUE).save(tmp_path / "blue.png")
    assert whole(tmp_path / "star.png", size=(2, 2)).facts == PictureFacts("8 bits", 3, 200, 1, (64, 64))
    found = whole(tmp_path / "blue.png", channels=1)
    assert found.image.max() == 29
    assert found.facts.brightest == 255


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
    turned = orientation in {5, 6, 7, 8}
    assert whole(tmp_path / name, size=(2, 2)).facts.size == (
        (32, 64) if turned else (64, 32)
    )  # a JPEG is read smaller
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
    elif kind == "not finite":
        Image.new("F", (4, 4), float("nan")).save(path, format="TIFF")
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
        ("floating", "floating-point numbers, so the value of white has to be set"),
        ("not finite", "some of its pixels are not finite"),
        ("wide", "its pixels go from 70000 to 70000, which is more than 16 bits, so the value of white has to be set"),
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


@pytest.mark.parametrize("side", [40, 80])  # Pillow would warn of the first and refuse the second
def test_a_picture_has_to_be_admitted_by_max_pixels(tmp_path: Path, side: int) -> None:
    usual = Image.MAX_IMAGE_PIXELS
    path = tmp_path / "picture.png"
    Image.new("L", (side, side)).save(path)
    with pytest.raises(UnreadablePicture, match=r"^.*: it has more pixels than max_pixels=1000 admits$"):
        read_picture(path, channels=1, size=(8, 8), resize="stretch", max_pixels=1000)
    read_picture(path, channels=1, size=(8, 8), resize="stretch", max_pixels=side * side)
    assert usual == Image.MAX_IMAGE_PIXELS


def test_a_picture_larger_than_pillow_s_limit_is_admitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quarters().resize((1600, 800)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert corners(read(tmp_path / "large.png")) == [RED, GREEN, BLUE, WHITE]


def test_a_page_has_to_be_admitted_by_max_pixels_too(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    Image.new("L", (8, 8)).save(path, save_all=True, append_images=[Image.new("L", (40, 40))])
    assert count_pages(path, max_pixels=1000) == 2
    with pytest.raises(UnreadablePicture, match="max_pixels=1000"):
        read_picture(path, channels=1, size=(8, 8), resize="stretch", page=1, max_pixels=1000)


def test_a_named_pipe_is_not_waited_for(tmp_path: Path, make_pipe: Callable[[Path], Path]) -> None:
    path = make_pipe(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("pipe.png")
    for name in ("pipe.png", "link.png"):
        with pytest.raises(UnreadablePicture, match="it is a named pipe, not a file"):
            read(tmp_path / name)
    assert count_pages(path) == 1


@pytest.mark.parametrize(("name", "reason"), [("/dev/zero", "a device"), ("socket", "a socket"), (".", "a folder")])
def test_other_things_than_files_are_not_read(tmp_path: Path, name: str, reason: str) -> None:
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(tmp_path):
        server.bind("socket")
        with pytest.raises(UnreadablePicture, match=f"it is {reason}, not a file"):
            read(Path(name))


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


def test_every_suffix_of_the_formats_that_are_read_is_known() -> None:
    """Those of this version of Pillow: .jfif and .jpe are JPEG, for example."""
    Image.init()
    assert set(SUFFIXES) >= {suffix for suffix, name in Image.registered_extensions().items() if name in _FORMATS}
    assert {".jfif", ".jpe", ".j2k", ".apng"} < set(SUFFIXES)


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix != ".pfm"])  # floats, which need `white`
def test_a_picture_is_read_under_every_suffix(tmp_path: Path, suffix: str) -> None:
    name = Image.registered_extensions()[suffix]
    path = tmp_path / f"picture{suffix.upper()}"
    quarters("L").convert("1" if suffix == ".pbm" else "L" if suffix == ".pgm" else "RGB").save(path, format=name)
    assert names(tmp_path) == [path.name]
    assert read(path).shape == (3, 8, 16)


@pytest.fixture(params=["forwards", "backwards"])
def listed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that lists names in the order of the alphabet, or backwards."""
    scandir = os.scandir

    class Listing:
        def __init__(self, path: str | Path) -> None:
            entries = sorted(scandir(path), key=lambda entry: entry.name, reverse=request.param == "backwards")
            self.entries: Iterator[os.DirEntry[str]] = iter(entries)

        def __iter__(self) -> Iterator[os.DirEntry[str]]:
            return self.entries

        def __next__(self) -> os.DirEntry[str]:
            return next(self.entries)

        def __enter__(self) -> Listing:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def close(self) -> None:
            pass

    monkeypatch.setattr(os, "scandir", Listing)


def passed_over(folder: Path) -> dict[str, str]:
    found = find_pictures(folder).passed_over
    return {path.relative_to(folder).as_posix(): kept.relative_to(folder).as_posix() for path, kept in found.items()}


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize("link", ["a_link", "z_link", "dogs/inside"])
def test_of_two_names_of_a_folder_the_real_one_is_read(tmp_path: Path, link: str) -> None:
    touch(tmp_path, "cats/1.png", "cats/deep/2.png", "dogs/3.png")
    (tmp_path / link).symlink_to(tmp_path / "cats")
    assert names(tmp_path) == ["cats/1.png", "cats/deep/2.png", "dogs/3.png"]
    assert passed_over(tmp_path) == {link: "cats"}


@pytest.mark.usefixtures("listed")
def test_of_two_links_to_a_folder_the_first_is_read(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/deep/1.png", "set/2.png")
    for link in ("b", "a"):
        (tmp_path / "set" / link).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set/c").symlink_to(tmp_path / "elsewhere/deep")
    assert names(tmp_path / "set") == ["2.png", "a/deep/1.png"]
    assert passed_over(tmp_path / "set") == {"b": "a", "c": "a/deep"}


@pytest.mark.usefixtures("listed")
def test_circles_of_links_end(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/1.png", "set/2.png", "set/cats/3.png", "set/.hidden/4.png")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "set")
    (tmp_path / "set/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set/cats/up").symlink_to(tmp_path / "set")
    (tmp_path / "set/.unseen").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set/itself").symlink_to("itself")
    assert names(tmp_path / "set") == ["2.png", "cats/3.png", "linked/1.png"]
    assert passed_over(tmp_path / "set") == {"cats/up": ".", "linked/back": "."}


@pytest.mark.usefixtures("listed")
def test_a_link_to_the_folder_above_adds_what_is_not_read_yet(tmp_path: Path) -> None:
    touch(tmp_path, "set/cats/1.png", "other/2.png")
    (tmp_path / "set/all").symlink_to(tmp_path)
    assert names(tmp_path / "set") == ["all/other/2.png", "cats/1.png"]
    assert passed_over(tmp_path / "set") == {"all/set": "."}


def test_a_link_to_a_file_is_a_picture(tmp_path: Path) -> None:
    touch(tmp_path, "cats/1.png")
    (tmp_path / "cats/2.png").symlink_to("1.png")
    assert names(tmp_path) == ["cats/1.png", "cats/2.png"]
