"""Runs beside one another: a table of their final losses, and one page of pictures. Starts without torch."""
