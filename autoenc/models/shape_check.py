"""A check that the parts of a model fit together, before a run begins: a plugin's layers may have any shape."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from autoenc.models.autoencoder import AutoEncoder
from autoenc.settings import ConfigError

_IMAGES = 2


def check_shapes(
    model: AutoEncoder, *, image_shape: tuple[int, int, int], code_size: int, architecture: str, loss: str
) -> None:
    """Call the encoder, the decoder and the loss once, in eval mode; no weight and no random number changes.

    Raises:
        ConfigError: a call fails, or its output has the wrong shape. The message names the shapes.
    """
    images, codes = torch.full((_IMAGES, *image_shape), 0.5), torch.zeros(_IMAGES, code_size)
    features = (_IMAGES, model.bottleneck.feature_size)
    with model.evaluating():
        _check(model.features, images, expected=features, part="encoder", key="architecture", name=architecture)
        raw = _check(
            model.decoder, codes, expected=tuple(images.shape), part="decoder", key="architecture", name=architecture
        )

        def losses_of(targets: Tensor) -> Tensor:
            return model.loss.per_image(model.predictions(raw), targets)

        _check(losses_of, images, expected=(_IMAGES,), part="per_image", key="loss", name=loss)


def _check(
    function: Callable[[Tensor], Tensor],
    given: Tensor,
    *,
    expected: tuple[int, ...],
    part: str,
    key: str,
    name: str,
) -> Tensor:
    try:
        found = function(given)
    except (RuntimeError, IndexError, ValueError) as error:  # torch's own about shapes, and those of `Loss`
        problem = f"its {part} cannot be applied to a batch of shape {tuple(given.shape)}: {error}"
        raise ConfigError(key, problem, value=name) from error
    if found.shape != expected:
        shapes = f"a batch of shape {tuple(given.shape)} to {tuple(found.shape)}, but has to give {expected}"
        raise ConfigError(key, f"its {part} maps {shapes}", value=name)
    return found
