"""Benchmarks of nextchar against its alternatives, measured in the same run: `make bench`.

    rows.py          rows of the tables and their contenders, as data
    material.py      initial weights and codes, the same for all contenders
    job.py           interface of a contender: a step to repeat
    *_side.py        one contender each: nextchar, PyTorch, JAX, ONNX Runtime, a plain NumPy loop
    contender.py     a contender in a separate process, which runs for some seconds in turn
    interleaved.py   a row: all its contenders in turn, round after round
    environment.py   environment variables of contenders
    startup.py       start-up times; memory.py: peak memory of a process
    machine.py       the CPU, versions, BLAS; sgemm.py: the highest rate of the machine
    ratios.py        medians, ratios and their spread
    report.py        the tables; run.py: the whole run

The process that conducts a run never imports NumPy: each side starts from a clean environment.
"""
