"""Mathematics of the network, and the model file.

Plain vectorised NumPy in any float type: readable, and in float64 the reference for faster code.

    network.py      forward and backward through all layers; loss and gradient of a batch
    cells/          the recurrent cells
    loss.py         softmax and cross-entropy
    parameters.py   architecture; parameters as one flat array with named views
    initialise.py   initial weights
    dropout.py      dropout masks
    scorer.py       log-likelihood of a text
    file.py         the model file
    container.py    tensors and a JSON document in one safetensors file
"""
