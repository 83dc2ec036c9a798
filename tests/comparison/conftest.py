"""The browser that all tests of the report share."""

from tests.comparison.report_browser import chrome

__all__ = ["chrome"]
