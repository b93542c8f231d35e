"""Compiled training step.

    step.py          a training step over the lanes of one thread, whole and in buckets
    forward.py       the network forward
    backward.py      the network backward
    rnn.py           loop over time of the vanilla RNN
    lstm.py          loop over time of the LSTM
    gru.py           loop over time of the GRU
    activations.py   tanh, sigmoid, exp
    lookup.py        embedding lookup, scatter-add, biases
    loss.py          softmax and cross-entropy
    dropout.py       dropout
    optimizers.py    sum of gradients, clipping, optimizers
    buckets.py       a step whose gradients are summed over machines
    workspace.py     the memory of one thread

A call works on the lanes of one thread; `kernels.engine` splits a batch over threads.
"""
