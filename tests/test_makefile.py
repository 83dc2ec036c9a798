"""The Makefile: what it would run, without running it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from packaging.requirements import Requirement

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def make(*arguments: str) -> str:
    command = ["make", "-C", str(REPOSITORY), "--no-print-directory", *arguments, "VENV=no-such-folder"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_make_alone_lists_every_target() -> None:
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split()) - {"help"}
    assert set(re.findall(r"^make ([\w-]+)", make(), re.MULTILINE)) == targets
    assert "TORCH_INDEX=URL avoids 5 GB of CUDA packages" in make()


def test_torch_can_come_from_another_index() -> None:
    usual, lean = make("-n", "train").splitlines(), make("-n", "train", "TORCH_INDEX=file:///wheels").splitlines()
    (added,) = [line for line in lean if line not in usual]
    assert added.endswith("--no-deps --index-url file:///wheels torch torchvision")
    assert lean.index(added) + 1 == next(index for index, line in enumerate(lean) if "--editable ." in line)
    assert not any("index-url" in line for line in usual)


@pytest.mark.parametrize("package", ["torch", "torchvision"])
def test_the_pins_allow_the_builds_of_another_index(package: str) -> None:
    pins = [Requirement(line) for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if line[0] != "#"]
    (pin,) = [requirement for requirement in pins if requirement.name == package]
    (version,) = [specifier.version for specifier in pin.specifier]
    assert pin.specifier.contains(f"{version}+cpu")
