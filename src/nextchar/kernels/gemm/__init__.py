"""Matrix products: the micro-kernel, tiling, packing, bfloat16."""
