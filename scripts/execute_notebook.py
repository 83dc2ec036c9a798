"""Execute a notebook's code in an empty folder and store the outputs in it, without Jupyter.

    python scripts/execute_notebook.py docs/notebook.ipynb

Knows what docs/notebook.ipynb needs: printed text, the value of a cell's last line, and figures of pyplot.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any


def main(path: Path) -> None:
    """Replace all outputs of the notebook by new ones."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        execute(notebook)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def execute(notebook: dict[str, Any]) -> dict[str, Any]:
    """Execute all code cells in one namespace, which is returned; their outputs replace those in `notebook`."""
    names: dict[str, Any] = {}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, start=1):
        cell["execution_count"] = number
        cell["outputs"] = _outputs("".join(cell["source"]), names, number=number)
    return names


def _outputs(source: str, names: dict[str, Any], *, number: int) -> list[dict[str, Any]]:
    """Run the source of a cell in a namespace; returns its outputs in the format of notebooks."""
    tree = ast.parse(source)
    last = tree.body[-1]
    statements = tree.body[:-1] if isinstance(last, ast.Expr) else tree.body
    result = ast.Expression(last.value if isinstance(last, ast.Expr) else ast.Constant(None))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module(statements, tree.type_ignores), f"cell {number}", "exec"), names)  # noqa: S102
        value = eval(compile(ast.fix_missing_locations(result), f"cell {number}", "eval"), names)  # noqa: S307
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        data = {"text/plain": _lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = _lines(value._repr_html_())
        outputs.append({"output_type": "execute_result", "execution_count": number, "data": data, "metadata": {}})
    return [*outputs, *_figures()]


def _figures() -> list[dict[str, Any]]:
    """The open figures of pyplot as PNG; they are closed."""
    outputs = []
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        for number in pyplot.get_fignums():
            content = io.BytesIO()
            pyplot.figure(number).savefig(content, format="png", bbox_inches="tight")
            image = base64.b64encode(content.getvalue()).decode("ascii")
            outputs.append({"output_type": "display_data", "data": {"image/png": image}, "metadata": {}})
        pyplot.close("all")
    return outputs


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
