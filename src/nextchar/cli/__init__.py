"""The command line.

    main.py        the program: commands, errors, exit statuses
    options.py     options made from settings fields, parameters as dataclasses
    commands/      the commands
    interactive/   terminal application of `nextchar generate --interactive`
    output/        errors, colours, summaries, streams

No other package imports it.
"""
