"""Encoded texts on disk, in the user's cache folder.

    folder.py        the cache folder
    entry_format.py  the file format: codes, index, checksums
    block_reader.py  verified reads of a file's blocks, the last ones kept in memory
    disk_codes.py    codes on disk in place of an array; repair of a damaged file
    entries.py       entries of the cache: found by name, written whole or not at all
    spooled.py       codes collected in memory, or in a file if there are many

Each module uses only those above it.
"""
