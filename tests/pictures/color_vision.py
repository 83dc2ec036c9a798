"""How far apart colours look, with normal and with colour-deficient vision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SRGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
CAT02 = np.array([[0.7328, 0.4296, -0.1624], [-0.7036, 1.6975, 0.0061], [0.0030, 0.0136, 0.9834]])
HUNT_POINTER_ESTEVEZ = np.array([[0.38971, 0.68898, -0.07868], [-0.22981, 1.18340, 0.04641], [0, 0, 1]])

VISIONS: Mapping[str, Array] = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
"""On linear RGB, at severity 1: G. M. Machado et al., A Physiologically-based Model for Simulation of Color Vision
Deficiency, IEEE TVCG 15 (2009), table of the authors' page."""


def as_seen(colors: Sequence[str], vision: str) -> Array:
    """Colours in CAM02-UCS, (N, 3): lightness J', a', b'. A distance of 1 is just noticeable side by side."""
    srgb = np.array([to_rgb(color) for color in colors])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = 100 * np.clip(linear @ VISIONS[vision].T, 0, 1) @ SRGB_TO_XYZ.T
    lightness, colorfulness, hue = ciecam02(xyz, white=100 * SRGB_TO_XYZ.sum(1), adapting=64 / np.pi / 5)
    # M. R. Luo et al., Uniform Colour Spaces Based on CIECAM02, Color Research and Application 31 (2006).
    radius = np.log(1 + 0.0228 * colorfulness) / 0.0228
    return np.stack([1.7 * lightness / (1 + 0.007 * lightness), radius * np.cos(hue), radius * np.sin(hue)], axis=-1)


def least_distance(colors: Sequence[str], vision: str) -> float:
    """Of the two that are most alike."""
    seen = as_seen(colors, vision)
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    return float(distances[np.triu_indices(len(colors), 1)].min())


def ciecam02(xyz: ArrayLike, *, white: ArrayLike, adapting: float) -> tuple[Array, Array, Array]:
    """Lightness J, colourfulness M and the hue angle in radians of colours (N, 3), in an average surround.

    N. Moroney et al., The CIECAM02 Color Appearance Model, 2002. The background has a fifth of the white's luminance;
    `adapting` is the adapting field's, in candela a square metre.
    """
    surround, induction, background = 0.69, 1.0, 0.2
    share = 1 / (5 * adapting + 1)
    level = 0.2 * share**4 * 5 * adapting + 0.1 * (1 - share**4) ** 2 * (5 * adapting) ** (1 / 3)
    adapted = 1 - np.exp((-adapting - 42) / 92) / 3.6
    brightness = 0.725 * (1 / background) ** 0.2
    cones = np.asarray(white) @ CAT02.T

    def responses(values: ArrayLike) -> Array:
        balanced = (100 * adapted / cones + 1 - adapted) * (np.asarray(values) @ CAT02.T)
        sharpened = balanced @ (HUNT_POINTER_ESTEVEZ @ np.linalg.inv(CAT02)).T
        power = (level * np.abs(sharpened) / 100) ** 0.42
        return np.asarray(np.sign(sharpened) * 400 * power / (27.13 + power) + 0.1)

    red, green, blue = responses(xyz).T
    red_green, yellow_blue = red - 12 * green / 11 + blue / 11, (red + green - 2 * blue) / 9
    hue = np.arctan2(yellow_blue, red_green)
    achromatic = (2 * red + green + blue / 20 - 0.305) * brightness
    of_white = float((responses(white) @ [2, 1, 1 / 20] - 0.305) * brightness)
    lightness = 100 * (achromatic / of_white) ** (surround * (1.48 + background**0.5))
    eccentricity = (np.cos(hue + 2) + 3.8) / 4
    strength = 50_000 / 13 * induction * brightness * eccentricity * np.hypot(red_green, yellow_blue)
    chroma = (strength / (red + green + 21 / 20 * blue)) ** 0.9 * (lightness / 100) ** 0.5
    return lightness, chroma * (1.64 - 0.29**background) ** 0.73 * level**0.25, hue
