"""Devices for tests."""

from __future__ import annotations

import dataclasses
from typing import Any

from autoenc.devices import Device, plain_device


def cpu(**fields: Any) -> Device:
    """The CPU with the default settings but for these."""
    return dataclasses.replace(plain_device("cpu"), **fields)
