"""One HTML page that compares runs and works offline. Imports neither torch nor matplotlib.

The folders may come from anyone. Their texts reach the page as JSON that cannot end its element, and the reader as text
nodes. The page runs only the script and style whose hashes are in its policy, and makes no network requests.
"""

from autoenc.comparison.report.html_page import write_report

__all__ = ["write_report"]
