"""The mathematics: cells, network, loss, initialisation, the one scorer, the model file.

Plain vectorised NumPy in any float type: readable, and in float64 the judge of faster code.
"""
