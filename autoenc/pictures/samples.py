"""Images decoded from random codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import number
from autoenc.pictures.image_pixels import as_pixels, remark
from autoenc.pictures.image_strips import Block, Strip, image_strips
from autoenc.pictures.picture import Panel, Picture
from autoenc.seeds import derived_seed

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from autoenc.pictures.subject import Subject

SAMPLES = 64
SEED = derived_seed(0, "samples") % 2**32
MOST_FITTED = 10_000  # training codes

MOST_COMPARED = 1000  # test images whose distances are measured
MOST_PIXELS = 2**25  # in all of them

MOST_ABOVE = 5  # panels: up to so many have one of their two blocks above the other, more have both side by side
ACROSS = 8  # images in a row

OF_ITSELF = -0.5 * math.log(2 * math.pi * math.e)  # nats: the mean log-density of numbers from N(0, 1) under N(0, 1)
COLLAPSED_ENTRIES = "Collapsed entries of a code are drawn from N(0, 1), and the likelihood leaves them out."

LINE = (
    "Variety: the distance between samples; nearest: from a sample to the nearest test image; both relative to test "
    "images. Likelihood: of the test images' codes, in nats per dimension; codes that are distributed as N(0, I) have "
    f"{number(OF_ITSELF)} under N(0, I)."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples(Picture):
    """Images decoded from random codes: from N(0, I), and from a mixture of Gaussians fitted to training codes."""

    prior_images: NDArray[Any]
    """(K, C, H, W) in [0, 1] scale."""
    mixture_images: NDArray[Any]
    """(K, C, H, W) in [0, 1] scale."""
    prior_log_likelihood: float
    """The mean log-density of the test images' codes under N(0, I), in nats per dimension.

    Of a variational model, these codes are sampled. Collapsed entries, which are N(0, 1) whatever the image, do not
    count, unless all are collapsed.
    """
    mixture_log_likelihood: float
    """The same under the mixture."""
    mixture: str
    """A description: "a mixture of 10 Gaussians with full covariances, fitted to 10,000 training codes"."""
    code_size: int
    collapsed: int
    """How many entries of a variational model's code are collapsed, as the health report counts them; else 0."""
    prior_variety: float = math.nan
    """See `variety`; NaN in the numbers of earlier runs."""
    prior_nearest: float = math.nan
    """See `nearest`."""
    mixture_variety: float = math.nan
    mixture_nearest: float = math.nan

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """Decode codes from N(0, I), and from a mixture of Gaussians fitted to training codes.

        The codes of a variational model are sampled: these, and not the means, have the prior's distribution if the
        model has learnt it. Log-likelihoods leave out the numbers that never vary, because these have no density. None
        if fewer than two training codes are finite, or none of their numbers varies.
        """
        import torch

        from autoenc.evaluation.fitted_codes import fit_codes
        from autoenc.pictures.code_space import random_indices
        from autoenc.pictures.subject import finite, stored

        train, test = subject.splits.train.images, subject.splits.test.images
        chosen = train[random_indices(len(train), most=MOST_FITTED)]
        fitted_on = finite(subject.sampled_codes(chosen, split="train"))
        held_out = finite(subject.sampled_codes(test, split="test"))
        collapsed = subject.collapsed_entries
        fitted = fit_codes(fitted_on, without=collapsed)
        if fitted is None or not len(held_out):
            return None
        generator = torch.Generator().manual_seed(SEED)
        prior, other = (torch.randn(SAMPLES, len(collapsed), generator=generator) for _ in range(2))
        drawn = fitted.sample(SAMPLES, generator=generator)
        drawn = torch.where(collapsed & ~fitted.varying, other, drawn)
        mean_square = held_out[:, fitted.varying].double().square().mean()
        images = test[random_indices(len(test), most=min(MOST_COMPARED, max(2, MOST_PIXELS // test[0].numel())))]
        reals, from_prior, from_mixture = images.cpu() / 255, subject.decode(prior), subject.decode(drawn)
        return cls(
            prior_images=stored(from_prior),
            mixture_images=stored(from_mixture),
            prior_variety=variety(from_prior, reals=reals),
            prior_nearest=nearest(from_prior, reals=reals),
            mixture_variety=variety(from_mixture, reals=reals),
            mixture_nearest=nearest(from_mixture, reals=reals),
            prior_log_likelihood=float(-0.5 * (mean_square + math.log(2 * math.pi))),
            mixture_log_likelihood=float(fitted.log_density(held_out).mean() / fitted.varying.sum()),
            mixture=f"{fitted.description}, fitted to {len(fitted_on):,} training codes",
            code_size=len(collapsed),
            collapsed=int(collapsed.sum()),
        )

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw two blocks of images for each panel, with a heading that says where their codes come from."""
        pairs = [_pair(label, picture) for label, picture in panels]
        above = 1 < len(panels) <= MOST_ABOVE
        blocks = [block for group in (zip(*pairs, strict=True) if above else pairs) for block in group]
        images = [part for panel in panels for part in (panel.picture.prior_images, panel.picture.mixture_images)]
        collapsed = COLLAPSED_ENTRIES if any(panel.picture.collapsed for panel in panels) else ""
        line = " ".join(filter(None, [LINE, collapsed, remark(*images)]))
        columns = len(panels) if above else 2 * min(len(panels), 3)
        return image_strips(blocks, columns=columns, title=title, line=line)


def variety(samples: Tensor, *, reals: Tensor) -> float:
    """The mean distance of two samples (M, C, H, W), relative to that of two real images (N, C, H, W).

    Distances are Euclidean, between pixels. NaN if the real images are all the same, or fewer than two.
    """
    own, others = (float(_distances(images, images).nanmean()) for images in (samples, reals))
    return own / others if others > 0 else math.nan


def nearest(samples: Tensor, *, reals: Tensor) -> float:
    """The mean distance from a sample to the nearest real image, relative to that from a real image to another one."""
    own, others = (float(_distances(images, reals).nan_to_num(math.inf).amin(1).mean()) for images in (samples, reals))
    return own / others if 0 < others < math.inf else math.nan


def _distances(images: Tensor, others: Tensor) -> Tensor:
    """From each of the images (M, C, H, W) to each of the others, (M, N); NaN from an image to itself."""
    import torch

    distances = torch.cdist(images.flatten(1), others.flatten(1))
    return distances.fill_diagonal_(math.nan) if images is others else distances


def _pair(label: str, picture: Samples) -> tuple[Block, Block]:
    collapsed = f"{picture.collapsed} of {picture.code_size} entries collapsed" if picture.collapsed else ""
    prior = _likeness(picture.prior_variety, picture.prior_nearest)
    mixture = _likeness(picture.mixture_variety, picture.mixture_nearest)
    likelihoods = _nats(picture.prior_log_likelihood), _nats(picture.mixture_log_likelihood)
    heads = [label, "from N(0, I)", prior, likelihoods[0], collapsed]
    others = [label, f"from {picture.mixture}", mixture, likelihoods[1], collapsed]
    return _block(heads, picture.prior_images), _block(others, picture.mixture_images)


def _likeness(variety: float, nearest: float) -> str:
    return f"variety {variety:.2f}, nearest {nearest:.2f}" if math.isfinite(variety + nearest) else ""


def _block(heads: Sequence[str], images: NDArray[Any]) -> Block:
    pixels = as_pixels(images)
    return Block(
        "\n".join(filter(None, heads)),
        tuple(Strip((pixels[start : start + ACROSS],)) for start in range(0, len(pixels), ACROSS)),
    )


def _nats(log_likelihood: float) -> str:
    return f"likelihood {number(log_likelihood) if math.isfinite(log_likelihood) else 'not finite'}"
