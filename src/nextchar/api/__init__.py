"""The Python interface.

    estimator.py          `CharRNN`: settings, training, scores, files
    generation_mixin.py   its generation methods
    notebook.py           its views in a notebook
    inputs.py             texts that `fit` accepts

`from nextchar import CharRNN` is all that users need.
"""
