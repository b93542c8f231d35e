"""Health of a run.

    early_stopping.py   the best evaluation, and patience
    overfitting.py      warning about a rising validation loss
    rollback.py         divergence, rollback to the last good point

Called by `trainer.py` and `evaluation.py`.
"""
