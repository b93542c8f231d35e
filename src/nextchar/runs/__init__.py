"""Run directories for readers: settings, records, samples.

    run_files.py        readers of the files, and their names
    metrics_file.py     the format of `metrics.jsonl`
    machine.py          description of the machine of a run
    repeat_command.py   the command that repeats a run

Nothing here blocks or changes a run that is being trained.
"""
