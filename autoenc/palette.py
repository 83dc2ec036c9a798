"""The colours of classes and runs in pictures and in the report. Imports nothing."""

CLASS_COLORS = (
    *("#1c35ff", "#b07a00", "#b5215e", "#0087a9", "#285500"),
    *("#f67981", "#69007d", "#07dac4", "#a9a9ff", "#c6cc18"),
)
"""Ten colours, none of them grey, which is for baselines.

Found by a random search that enlarges the smallest distance between two of them in CAM02-UCS. A test checks them: any
two are at least 26 apart, and at least 19 under full deuteranopia and protanopia, 15 under tritanopia.
"""
