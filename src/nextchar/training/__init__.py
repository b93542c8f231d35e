"""Fitting a network to a text.

    run.py             a whole run: request → settings, texts, session
    session.py         one session: prepared text and finished settings → model
    trainer.py         the training loop
    evaluation.py      validation loss over all ranks, and its record
    events.py          events reported to `on_event`
    run_context.py     callbacks, run directory and process group of a run
    process_group.py   collective operations of the processes that train together
    rank_batches.py    the batches of one rank
    fine_tuning.py     runs that start from a trained model
    sample_writer.py   samples during training
    signals.py         Ctrl-C and the signals of batch systems
    auto/              the preset `auto`, and finished settings
    budget/            steps, time and memory of a run
    health/            divergence and rollback, early stopping, overfitting
    optim/             clipping, optimizers, learning-rate schedules
    saving/            run directory, checkpoint, resume

A run passes through `run.py`, `session.py` and `trainer.py`; the others serve these three.
"""
