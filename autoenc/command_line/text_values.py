"""Overrides whose values are texts, such as folders, whatever Hydra's grammar makes of them."""

from __future__ import annotations

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep
from hydra.errors import HydraException

from autoenc.overrides import quoted

TEXT_KEYS = {
    *("resume", "rerun", "data_dir", "dataset.path", "sweep.name", "comparison.title"),
    *("hydra.run.dir", "hydra.sweep.dir", "hydra.sweeper.study_name", "hydra.sweeper.storage"),
    *("hydra.launcher.partition", "hydra.launcher.account", "hydra.launcher.qos", "hydra.launcher.constraint"),
    *("hydra.launcher.address", "hydra.sweeper.metric"),
    *("tracker.experiment", "tracker.tracking_uri"),
}


def with_text(override: str) -> str:
    """The override, with its value in quotes if Hydra would read a text as a number, or not at all.

    `dataset.path=2024_05_01` means that folder, not the number 20240501, and `dataset.path=john's` needs no quotes.
    """
    key, _, value = override.partition("=")
    if not value or key.lstrip("+") not in TEXT_KEYS or _is_read_as_text(value):
        return override
    # An interpolation inside another, which Hydra reads only in quotes, may have commas.
    given = [value] if value.count("${") > 1 else value.split(",")
    texts = [text if _is_read_as_text(text) else quoted(text) for text in given]
    return f"{key}={','.join(texts)}"


def _is_read_as_text(value: str) -> bool:
    """Whether Hydra reads texts, null, or what `parse` refuses for a text with a clear message."""
    try:
        read = OverridesParser.create().parse_override(f"key={value}").value()
    except HydraException:
        return False
    values = read.list if isinstance(read, ChoiceSweep) and read.simple_form else [read]
    return not any(isinstance(item, int | float) for item in values)
