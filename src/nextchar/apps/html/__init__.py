"""HTML pages of `report` and `explain`: style, template and small SVG charts.

A page is one file with its style, charts and script, and is complete without the script:

    bars.py         bars and dots as SVG
    charts.py       charts as numbers, names and units; their colours
    downsample.py   curves reduced to the points that a screen can show
    markup.py       elements of HTML and SVG as text
    scales.py       axis limits, ticks and the mapping from numbers to pixels
    svg.py          curves, axes and legends as SVG
    template.py     the page around its content, and its style sheet
"""
