"""`nextchar report`: what runs did and what their models know, as one page or as images.

    run directories ─► runs ─► analyses ─► figures ─► page, images

`runs` reads, `analysis` puts numbers together, `figures` and its neighbours say what is drawn;
only `page` and `images` draw.
"""
