"""Health of a run.

early_stopping.py   the best evaluation, and patience
overfitting.py      warning about a rising validation loss
rollback.py         divergence, rollback to the last good point

Each module watches the losses of a run for one problem.
"""
