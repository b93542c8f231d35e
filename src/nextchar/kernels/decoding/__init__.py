"""Compiled generation: reading and drawing characters in lanes.

    decoder.py       lanes on any number of threads
    shard.py         the lanes of one thread
    decode.py        reading and writing character by character
    lanes.py         state of the lanes: rules, history, output
    sampling.py      drawing a code from logits
    penalties.py     penalties and bans on logits
    constraints.py   masks of a pattern on logits
    automata.py      patterns as arrays

The readable twins are in generation/; `decoder` is the only module for others to import.
"""
