"""Rendering of a text analysis as a page or JSON.

Each function takes an analysis and returns markup, figures or plain data.

    explain_page.py      the page, its surprisal section, and the frames for notebooks
    page_neurons.py      section: units over text with the feature that they track
    page_context.py      section: curves of influence and loss by distance, and one position
    page_embeddings.py   section: map of the characters and nearest neighbours
    label_map.py         scatter plot of labels that do not overlap
    shading.py           text with its background shaded by numbers
    as_json.py           all figures as JSON
"""
