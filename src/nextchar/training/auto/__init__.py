"""The preset `auto`: network and training settings from the text and the budget.

    choose.py       finished settings of a run, with the machine's part
    policy.py       the choice by text and time
    throughput.py   FLOP/s of this machine

All settings are final before a run starts.
"""
