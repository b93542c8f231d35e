"""Interactive writing, without a terminal.

The terminal application is `cli.interactive`.

    writing_session.py     the text, its history of edits, and the model that has read it
    symbols.py             symbols of the text, and edits
    character_classes.py   words, line ends and sizes of characters
"""
