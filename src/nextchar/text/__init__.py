"""Text → codes → batches.

    sources.py          files, folders, standard input and data sets as pieces of text
    datasets.py         named data sets
    detect_encoding.py  the likely encoding of bytes that cannot be decoded
    records.py          lists of records: boundaries, split points, shuffling
    vocabulary.py       symbols and their codes
    encoder.py          codes in order of first appearance
    corpus.py           a text as codes, split into training, test and validation parts
    reading.py          from the inputs that a user named to a corpus, through the cache
    read_callbacks.py   notes and progress while a text is read
    sanity.py           warning about a text that looks binary or wrongly decoded
    batches.py          inputs and targets of each training step
    shuffle.py          a random permutation that takes no memory
    prefetch.py         batches read from disk in advance
    cache/              encoded texts on disk

Nothing here knows of networks.
"""
