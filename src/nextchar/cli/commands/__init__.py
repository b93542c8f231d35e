"""The commands, one per module: parse the options, call, print.

    train_command.py      train a model
    tune_command.py       search settings
    generate_command.py   generate text
    complete_command.py   most probable continuations of a prefix
    serve_command.py      serve models over HTTP
    eval_command.py       score a text
    explain_command.py    analyse how a model reads a text
    info_command.py       contents of a model file
    report_command.py     page about runs
    plan_command.py       forecast of the speed on many machines
    cache_command.py      encoded texts in the cache
    demo_command.py       train and generate in one go

A module is imported when its command is called.
"""
