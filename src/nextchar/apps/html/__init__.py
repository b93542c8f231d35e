"""What the pages of `report` and `explain` share: their look, their shell and small SVG figures.

A page is one file: style, figures and script are inside, and it is whole without the script.
"""
