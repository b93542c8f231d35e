"""The Python interface: `CharRNN`, its inputs, its notebook views."""
