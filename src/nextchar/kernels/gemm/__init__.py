"""Matrix products.

    microkernel.py      one tile of a product in vector registers
    packing.py          matrices in the order in which the micro-kernel reads them
    bfloat16.py         the same in pairs of bfloat16
    gemm.py             products of any size, by tiles
    packed_weights.py   the weights of a network, packed

No other module knows the order of numbers in a packed matrix.
"""
