"""Copies of the training text in generated text.

The training text is read in pieces, so that it may be larger than memory.

    training_text.py   the text that a model was trained on, read again
    copy_search.py     exact search for all common substrings of two texts
    passages.py        copied passages of generated texts
    seen_records.py    records that occur in the training text
    novelty.py         generation of records that do not occur in it
"""
