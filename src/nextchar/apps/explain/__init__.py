"""`nextchar explain`: analysis of a model on a text.

An analysis computes figures, rendering draws them, and an explanation is both together.

    explanation.py        an analysis with its rendered forms: page, notebook display, JSON
    text_analysis.py      the figures of all parts, without rendering
    explain_settings.py   the options
    located_text.py       a text as codes, with line and column of each
    surprise.py           surprisal of each character; the most surprising ones
    neurons.py            scores of hidden units against features
    features.py           features of each character: quotes, brackets, words, lines …
    context.py            dependence of predictions on distant context
    embeddings.py         similarity of characters by their weight rows
    code_labels.py        codes as visible characters
    render/               page and JSON
"""
