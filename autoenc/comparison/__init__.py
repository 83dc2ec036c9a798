"""Compare runs: rank, group and filter their metrics; tables, one page of pictures, a report. Starts without torch."""
