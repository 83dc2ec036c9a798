"""Runs beside one another on one page of HTML that works off-line. Starts without torch and without matplotlib.

The folders may come from anyone. What they say reaches the page as JSON that cannot end its element, and a person as
text nodes; the page runs and styles itself only by what has the hashes in its own policy, and asks for nothing.
"""

from autoenc.comparison.report.page import write_report

__all__ = ["write_report"]
