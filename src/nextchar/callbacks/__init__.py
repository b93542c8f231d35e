"""Callbacks of a training run; each is called with every event.

They show or write events (`training.events`) and never change the run:

    combine.py       the callbacks that a command line asks for, behind one call
    live.py          loss curves in the terminal
    progress.py      the console: a bar on a terminal, plain lines elsewhere
    tensorboard.py   event files for TensorBoard
"""
