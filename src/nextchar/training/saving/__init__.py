"""Files of a run.

    run_directory.py   the run directory
    run_lock.py        its lock, and the owner of it
    checkpoint.py      the checkpoint
    resume.py          resuming: settings, checkpoint, earlier evaluations
    write_errors.py    errors of writing, with the command that resumes

Every file is replaced atomically.
"""
