"""Settings of training.

    groups.py    the text, network and training settings, with their defaults and help
    config.py    `Settings`: the groups together, presets, `config.toml`, options
    presets.py   the presets
    fields.py    limits of a setting, and the check of a value against them

Other settings are in their packages: generation, server, explanations.
"""
