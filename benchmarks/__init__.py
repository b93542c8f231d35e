"""nextchar beside what people would use instead, measured in the same run: `make bench`.

    rows.py          what is measured, as data; which contenders there are
    material.py      the weights and codes that all contenders begin with
    job.py           what a contender's side hands over: a step to be repeated
    *_side.py        one contender each: nextchar, PyTorch, JAX, ONNX Runtime, a plain NumPy loop
    contender.py     a side in a process of its own, told to run for some seconds in turn
    interleaved.py   a row: all its contenders in turn, round after round
    environment.py   what they start from
    startup.py       how long a user waits; memory.py: how much a process held
    machine.py       the CPU, versions, BLAS; sgemm.py: the rate that is to be had
    ratios.py        medians, ratios and their spread
    report.py        the tables; run.py: all of it

The process that conducts a run never imports NumPy: each side starts from a clean environment.
"""
