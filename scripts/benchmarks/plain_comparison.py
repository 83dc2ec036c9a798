"""What one writes instead of `compare.py`: read the configs and results below a folder, print the best ten.

    python -m scripts.benchmarks.plain_comparison FOLDER

It does not check what it reads, average over seeds, or keep runs apart that cannot be compared.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml


def main() -> None:
    """Print the settings that differ and the test error of the best runs."""
    runs = []
    for path in Path(sys.argv[1]).glob("**/config.yaml"):
        settings = _flat(yaml.safe_load(path.read_text()))
        runs.append((json.loads((path.parent / "summary.json").read_text())["test"]["mse"], settings))
    different = [key for key in runs[0][1] if len({str(settings[key]) for _, settings in runs}) > 1]
    for error, settings in sorted(runs, key=lambda run: run[0])[:10]:
        print(f"{error:.5f}", *(f"{key}={settings[key]}" for key in different))


def _flat(node: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


if __name__ == "__main__":
    main()
