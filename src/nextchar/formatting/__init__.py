r"""Numbers, units and characters as people read them.

Every room uses these, so that a figure looks the same wherever it is printed:

    quantities.py     counts, durations and sizes in memory: `1.2 k`, `2 min 05 s`, `12.3 GB`
    units.py          nats and bits
    visible_text.py   characters and codes that can be seen: `␣`, `↵`, `\xe2`
"""
