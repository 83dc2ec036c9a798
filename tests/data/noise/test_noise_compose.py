"""Several noises in a row: the same as by hand, and settings that are checked at every depth."""

from __future__ import annotations

import pickle

import pytest
import torch

from autoenc.data.noise import NOISES, Compose, Noise
from autoenc.data.noise.pixels import Gaussian, Masking, NoNoise, SaltAndPepper
from autoenc.data.noise.regions import Blur, Occlusion
from autoenc.settings import ConfigError
from tests.composed import composed_values

BLUR = Blur(std=1.0)
SALT = SaltAndPepper(probability=0.3, salt=0.5, by="channel")
PATCH = Occlusion(size=0.5, value=0.5)
MASKING = {"name": "masking", "probability": 0.3, "by": "pixel"}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_one_after_the_other_is_as_by_hand() -> None:
    images = torch.rand(4, 3, 8, 8, generator=seeded(1))
    given, corrupted = Compose(noises={"salt": SALT, "patch": PATCH})(images, generator=seeded())
    generator = seeded()
    salted, specks = SALT(images, generator=generator)
    by_hand, patch = PATCH(salted, generator=generator)
    assert torch.equal(given, by_hand)
    assert torch.equal(corrupted, specks | patch)
    assert not torch.equal(corrupted, specks)
    assert not torch.equal(corrupted, patch.expand_as(specks))


def test_it_corrupts_if_any_of_them_does() -> None:
    assert Compose(noises={"none": NoNoise(), "blur": BLUR}).corrupts
    assert not Compose(noises={"none": NoNoise()}).corrupts
    assert NOISES.settings_class("compose") is Compose


def test_settings_become_the_noises_in_their_order() -> None:
    values = {"hide": MASKING, "more": {"name": "compose", "noises": {"soft": {"name": "blur", "std": 2}}}}
    noise = NOISES.parse({"name": "compose", "noises": values})
    soft = Compose(noises={"soft": Blur(std=2.0)})
    assert noise == Compose(noises={"hide": Masking(probability=0.3, by="pixel"), "more": soft})
    assert isinstance(noise, Compose)
    assert list(noise.noises) == ["hide", "more"]
    images = torch.rand(2, 3, 8, 8)
    flat = Compose(noises={"hide": Masking(probability=0.3, by="pixel"), "soft": Blur(std=2.0)})
    assert torch.equal(noise(images, generator=seeded()).images, flat(images, generator=seeded()).images)


def test_what_it_was_made_from_cannot_change_it() -> None:
    noises: dict[str, Noise] = {"blur": BLUR}
    noise = Compose(noises=noises)
    noises["salt"] = SALT
    assert list(noise.noises) == ["blur"]
    assert pickle.loads(pickle.dumps(noise)) == noise


def test_each_of_them_is_weakened() -> None:
    noise = Compose(noises={"salt": SALT, "more": Compose(noises={"blur": BLUR, "patch": PATCH})})
    weaker = noise.at(0.5)
    assert weaker == Compose(
        noises={"salt": SALT.at(0.5), "more": Compose(noises={"blur": BLUR.at(0.5), "patch": PATCH.at(0.5)})}
    )
    assert list(weaker.noises) == ["salt", "more"]


@pytest.mark.parametrize(
    ("noises", "message"),
    [
        (
            {"blur": {"name": "blur", "std": 1}, "hide": {**MASKING, "by": "pixl"}},
            "noise.noises.hide.by=pixl: it must be one of channel, pixel",
        ),
        ({"hide": {"name": "blur"}}, "noise.noises.hide.std: "),
        ({}, "noise.noises={}: it needs at least one noise"),
        ({"a": None}, "noise.noises.a=null: it must be a group of keys, with a name: blur, compo"),
        ({"a": "blur"}, "noise.noises.a=blur: it must be a group of keys"),
        (["blur"], "noise.noises=[blur]: it must be a group of keys"),
        (
            {"noise": {"name": "compose", "noises": {"noise": {**MASKING, "probability": -1}}}},
            "noise.noises.noise.noises.noise.probability=-1: it must be a number from 0 to 1",
        ),
        (
            {"a": {"name": "compose", "noise": 1}},
            "noise.noises.a.noise=1: there is no such key (did you mean 'noises'?)",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_whole_key(noises: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        NOISES.parse({"name": "compose", "noises": noises})
    assert str(caught.value).startswith(message)
    assert str(caught.value).startswith(caught.value.key)


def test_an_unknown_or_missing_name_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"^noise\.noises\.a\.name=blurr: there .* \(did you mean 'blur'\?\); the ch"):
        NOISES.parse({"name": "compose", "noises": {"a": {"name": "blurr"}}})
    with pytest.raises(ConfigError, match=r"^noise\.noises\.a\.name=null: it must be one of blur, compose, dropout"):
        NOISES.parse({"name": "compose", "noises": {"a": {}}})


def from_command_line(*overrides: str) -> Compose:
    noise = NOISES.parse(composed_values("noise=compose", *overrides)["noise"])
    assert isinstance(noise, Compose)
    return noise


def test_the_command_line_changes_takes_away_and_adds() -> None:
    assert list(from_command_line().noises) == ["blur", "salt"]
    changed = from_command_line(
        "noise.noises.salt.probability=0.25",
        "noise.noises.salt.by=pixel",
        "~noise.noises.blur",
        "+noise.noises.last={name: gaussian, std: 0.1, by: channel, clip: true}",
    )
    assert changed.noises == {
        "salt": SaltAndPepper(probability=0.25, salt=0.5, by="pixel"),
        "last": Gaussian(std=0.1, by="channel", clip=True),
    }
    assert list(changed.noises) == ["salt", "last"]
