"""`nextchar explain`: what a model knows, and where a text surprises it.

source      a text as codes, with the way back to its lines and columns
reader      the engine, made to tell what it computes
surprise    -log2 p of every character, and the most surprising places
features    what can be named in a text: quotes, brackets, words, lines …
neurons     how well each hidden unit tracks one of these
memory      how far back what was read still changes what is expected
symbols     which characters the model takes to be alike
explanation all four of a text, together
"""
