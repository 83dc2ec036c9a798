"""Images that a model makes of codes, and gaps between codes, where the answers are known."""

from __future__ import annotations

import math
from typing import Literal, cast

import pytest
import torch
from torch import Tensor, nn

from autoenc.data.datasets import Split
from autoenc.data.noise.pixels import NoNoise
from autoenc.evaluation import made_images
from autoenc.evaluation.evaluation_settings import Full
from autoenc.evaluation.fitted_codes import fit_codes, sampled_codes
from autoenc.evaluation.image_classifier import ImageClassifier
from autoenc.evaluation.made_images import ImageSet, MadeImages
from autoenc.evaluation.scored_split import Trained
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import BOTTLENECKS
from autoenc.models.losses.likelihoods import GaussianLikelihood
from tests.devices import cpu


class Pixels:
    """Stands in for a classifier: the features are the pixels, the entropy their mean, the classes dark and bright."""

    def features(self, images: Tensor) -> Tensor:
        return images.flatten(1).double() / 255

    def classes(self, images: Tensor) -> Tensor:
        return (images.flatten(1).float().mean(1) > 128).long()

    def entropies(self, images: Tensor) -> Tensor:
        return images.flatten(1).float().mean(1)


def integers(low: int, high: int, count: int, *, seed: int) -> Tensor:
    """Images of two pixels, uint8 (count, 1, 1, 2)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, (count, 1, 1, 2), generator=generator, dtype=torch.uint8)


def two_clusters(*, seed: int) -> Split:
    """Dark and bright images, 150 of each, in turns."""
    images = torch.stack([integers(0, 50, 150, seed=seed), integers(200, 250, 150, seed=seed + 1)], dim=1)
    return Split(images.flatten(0, 1), torch.arange(300) % 2)


def one_cloud(*, seed: int) -> Split:
    """Images of two classes that nothing tells apart."""
    return Split(integers(0, 256, 300, seed=seed), torch.arange(300) % 2)


def one_class(*, seed: int) -> Split:
    return Split(integers(0, 256, 300, seed=seed), torch.zeros(300, dtype=torch.int64))


def made_of(split: Split, *, train: Split | None = None) -> MadeImages:
    """Of a model whose codes are the pixels, and whose decoder gives them back."""
    trained = Trained(
        model=AutoEncoder(nn.Flatten(), nn.Unflatten(1, (1, 1, 2))),
        split=split if train is None else train,
        noise=NoNoise(),
        code_size=2,
        device=cpu(),
        settings=Full(nll_samples=0, probe_images=200, other_dataset=None),
    )
    codes = split.images.flatten(1) / 255
    return MadeImages(trained=trained, classifier=cast(ImageClassifier, Pixels()), split=split, codes=codes)


# --- pairs and gaps ---


def test_pairs_are_of_different_classes_and_the_same_each_time() -> None:
    split = two_clusters(seed=0)
    first, again = made_of(split).pairs, made_of(split).pairs
    assert first is not None
    assert again is not None
    assert (split.labels[first.starts] != split.labels[first.ends]).all()
    assert torch.equal(first.starts, again.starts)
    assert torch.equal(first.ends, again.ends)
    assert 200 < len(first.starts) <= 300
    assert len(first.starts.unique()) > 100


@pytest.mark.parametrize(("split", "low", "high"), [(two_clusters(seed=0), 1, 1), (one_cloud(seed=0), 0, 0.1)])
def test_clusters_have_a_gap_between_them_and_a_cloud_has_none(split: Split, low: float, high: float) -> None:
    gaps = made_of(split).gaps
    assert gaps is not None
    assert low <= gaps.double().mean() <= high


def test_a_class_between_two_others_fills_their_gap() -> None:
    ends = two_clusters(seed=0)
    between = integers(95, 155, 300, seed=5)
    split = Split(torch.cat([ends.images, between]), torch.cat([ends.labels, torch.full((300,), 2)]))
    made = made_of(split)
    assert made.gaps is not None
    assert made.pairs is not None
    outer = (split.labels[made.pairs.starts] != 2) & (split.labels[made.pairs.ends] != 2)
    assert made.gaps[outer].double().mean() < 0.2
    assert made.gaps[~outer].double().mean() > 0.9


def test_gaps_do_not_depend_on_the_scale_of_the_codes() -> None:
    made, larger = made_of(one_cloud(seed=0)), made_of(one_cloud(seed=0))
    larger.codes = 1000 * larger.codes
    assert made.gaps is not None
    assert larger.gaps is not None
    assert (made.gaps != larger.gaps).double().mean() < 0.01  # rounding


# --- midpoints and interpolations ---


def test_the_error_of_midpoints_is_that_of_an_exhaustive_search() -> None:
    cloud = one_cloud(seed=0)
    made = made_of(Split(cloud.images // 2 * 2, cloud.labels))  # even pixels, whose mean is not rounded
    assert made.pairs is not None
    pixels = [[value / 255 for value in image] for image in made.split.images.flatten(1).tolist()]

    def error(image: list[float], *, apart_from: set[int]) -> float:
        others = [other for index, other in enumerate(pixels) if index not in apart_from]
        return min(math.dist(image, other) ** 2 / 2 for other in others)

    pairs = list(zip(made.pairs.starts.tolist(), made.pairs.ends.tolist(), strict=True))
    middles = [[(one + two) / 2 for one, two in zip(pixels[start], pixels[end], strict=True)] for start, end in pairs]
    errors = [error(middle, apart_from=set(pair)) for middle, pair in zip(middles, pairs, strict=True)]
    reference = [error(pixels[start], apart_from={start}) for start, _ in pairs]
    assert made.midpoint_error == pytest.approx(sum(errors) / sum(reference), rel=1e-3)


def test_midpoints_between_clusters_are_far_from_images_and_those_in_a_cloud_are_not() -> None:
    far, near = made_of(two_clusters(seed=0)), made_of(one_cloud(seed=0))
    assert far.midpoint_error is not None
    assert near.midpoint_error is not None
    assert far.midpoint_error > 100
    assert near.midpoint_error < 1.5
    found = far.similarity("midpoints"), near.similarity("midpoints")
    assert [each.precision.double().mean() > 0.9 for each in found if each is not None] == [False, True]


def test_entropies_are_averaged_over_the_inner_steps() -> None:
    black_and_white = torch.tensor([0, 255], dtype=torch.uint8).repeat(50)[:, None, None, None].expand(-1, 1, 1, 2)
    made = made_of(Split(black_and_white, torch.arange(100) % 2))
    entropies = made.interpolation_entropies  # here the mean pixel, at 1/6 to 5/6 of the way
    assert entropies is not None
    torch.testing.assert_close(entropies, torch.full_like(entropies, 127.5), rtol=0, atol=0.5)
    assert set(made.reconstruction_entropies.tolist()) == {0, 255}


def test_the_entropy_of_a_classifier_is_in_nats() -> None:
    classifier = ImageClassifier((1, 4, 4), classes=3).eval()
    images = torch.randint(256, (5, 1, 4, 4), dtype=torch.uint8)
    nn.init.zeros_(classifier.head.weight)
    nn.init.zeros_(classifier.head.bias)
    torch.testing.assert_close(classifier.entropies(images), torch.full((5,), math.log(3)))
    with torch.no_grad():
        classifier.head.bias[1] = 100
    assert classifier.entropies(images).max() < 1e-6


# --- sets of images ---


@pytest.mark.parametrize("kind", ["reconstructions", "training_images"])
def test_the_images_themselves_are_as_good_as_can_be(kind: ImageSet) -> None:
    found = made_of(one_cloud(seed=0)).similarity(kind)
    assert found is not None
    assert found.precision.all()
    assert found.recall.all()
    assert found.frechet_distance == pytest.approx(0, abs=1e-9)


def test_a_mixture_keeps_to_two_clusters_and_a_gaussian_fills_the_gap() -> None:
    made = made_of(two_clusters(seed=3), train=two_clusters(seed=0))
    kinds: tuple[ImageSet, ...] = ("prior", "gaussian", "mixture")
    precisions = [found.precision.double().mean() for kind in kinds if (found := made.similarity(kind)) is not None]
    assert precisions[0] < 0.3  # N(0, I) has its centre in a corner
    assert precisions[1] < 0.7
    assert precisions[2] > 0.85
    gaussian, mixture = (made.similarity(kind) for kind in kinds[1:])
    assert gaussian is not None
    assert mixture is not None
    assert mixture.frechet_distance < 0.01
    assert mixture.recall.double().mean() > 0.9


def test_averages_of_two_images_lie_between_two_clusters() -> None:
    made = made_of(two_clusters(seed=0))
    found, perfect = made.similarity("overlays"), made.similarity("training_images")
    assert found is not None
    assert perfect is not None
    assert found.precision.double().mean() < 0.1
    assert perfect.realism.double().mean() > 0.5


def test_samples_of_one_class_have_no_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    split = two_clusters(seed=0)
    for images, expected in ((split.images[:1].repeat(4, 1, 1, 1), 0), (split.images, math.log(2))):
        monkeypatch.setattr(made_images, "samples", lambda *_, images=images, **__: images)
        assert made_of(split).sample_class_entropy == pytest.approx(expected, abs=1e-6)


def test_images_of_one_class_have_no_pairs() -> None:
    made = made_of(one_class(seed=0))
    assert made.pairs is None
    assert made.similarity("midpoints") is made.similarity("overlays") is None
    assert [made.gaps, made.midpoint_error, made.interpolation_entropies] == [None, None, None]
    assert made.similarity("mixture") is not None


def test_codes_that_do_not_vary_have_no_fitted_distribution() -> None:
    train = Split(torch.full((50, 1, 1, 2), 7, dtype=torch.uint8), torch.arange(50) % 2)
    made = made_of(one_cloud(seed=0), train=train)
    assert made.similarity("gaussian") is made.similarity("mixture") is None


# --- novelty ---


def test_copies_are_not_new_and_held_out_images_are(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = one_cloud(seed=0), one_cloud(seed=1)

    def novelty(kind: Literal["samples", "copies"], images: Tensor = train.images) -> float | None:
        monkeypatch.setattr(made_images, "samples", lambda *_, **__: images)
        return made_of(test, train=train).novelty(kind)

    assert novelty("copies") == pytest.approx(0, abs=1e-3)  # they are reconstructed without an error
    assert novelty("samples", images=train.images.flip(0)) == pytest.approx(0, abs=1e-3)
    assert novelty("samples", images=test.images.flip(0)) == pytest.approx(1)


def test_only_samples_near_an_image_count_as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    split = Split(integers(0, 50, 300, seed=0), torch.arange(300) % 2)
    far = torch.full_like(split.images, 255)
    train = Split(integers(0, 50, 300, seed=1), torch.arange(300) % 2)
    for images, expected in ((torch.cat([split.images, far]), pytest.approx(1)), (far, None)):
        monkeypatch.setattr(made_images, "samples", lambda *_, images=images, **__: images)
        assert made_of(split, train=train).novelty("samples") == expected


def test_images_that_are_sorted_by_class_are_drawn_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    split = two_clusters(seed=0)
    test = split.take(split.labels.argsort())
    train = Split(integers(0, 50, 100, seed=5), torch.arange(100) % 2)  # dark: only bright images are far
    monkeypatch.setattr(made_images, "MOST_BY_PIXELS", 150)
    monkeypatch.setattr(made_images, "samples", lambda *_, **__: test.images)
    assert made_of(test, train=train).novelty("samples") == pytest.approx(1, abs=0.4)


# --- fitted codes ---


def normal(count: int, size: int, *, seed: int = 0) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def test_a_gaussian_has_the_moments_of_the_codes() -> None:
    codes = normal(2000, 3) @ normal(3, 3, seed=1) + torch.tensor([10.0, -5.0, 0.0])
    fitted = fit_codes(codes, components=1)
    assert fitted is not None
    drawn = fitted.sample(100_000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), rtol=0.02, atol=0.03)
    torch.testing.assert_close(drawn.T.cov(), codes.T.cov(), rtol=0.05, atol=0.05)
    reference = torch.distributions.MultivariateNormal(codes.double().mean(0), codes.double().T.cov(correction=0))
    torch.testing.assert_close(fitted.log_density(codes), reference.log_prob(codes.double()), rtol=0, atol=0.02)


@pytest.mark.parametrize("without", [None, torch.tensor([False, True, False])])
def test_numbers_that_do_not_vary_stay(without: Tensor | None) -> None:
    codes = torch.cat([normal(200, 2), torch.full((200, 1), 7.0)], dim=1)
    fitted = fit_codes(codes, without=without)
    assert fitted is not None
    drawn = fitted.sample(50, generator=torch.Generator().manual_seed(0))
    assert (drawn[:, 2] == 7).all()
    assert fitted.varying.tolist() == [True, without is None, False]
    assert (drawn[:, 1].unique().numel() == 1) == (without is not None)
    every = fit_codes(codes, without=torch.ones(3, dtype=torch.bool))
    assert every is not None
    assert every.varying.tolist() == [True, True, False]


def test_codes_that_are_all_equal_or_single_are_not_fitted() -> None:
    assert fit_codes(torch.ones(30, 2)) is fit_codes(normal(1, 2)) is None


def test_codes_of_a_variational_model_are_draws() -> None:
    encoder = nn.Linear(2, 4)
    with torch.no_grad():
        encoder.weight.zero_()
        encoder.bias.zero_()  # every posterior is N(0, I)
    settings = {"name": "gaussian", "samples": 1, "beta": 1.0, "warmup_epochs": 0.0, "free_bits": 0.0}
    model = AutoEncoder(
        nn.Sequential(nn.Flatten(), encoder),
        nn.Unflatten(1, (1, 1, 2)),
        bottleneck=BOTTLENECKS.parse(settings).build(code_size=2),
        loss=GaussianLikelihood(std=1.0),
    )

    def draw(split: str) -> Tensor:
        return sampled_codes(model, integers(0, 256, 2000, seed=0), split=split, device=cpu())

    codes = draw("train")
    torch.testing.assert_close(codes.mean(0), torch.zeros(2), rtol=0, atol=0.1)
    torch.testing.assert_close(codes.T.cov(), torch.eye(2), rtol=0, atol=0.15)
    assert torch.equal(codes, draw("train"))
    assert not torch.equal(codes, draw("test"))
