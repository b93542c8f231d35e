"""Every setting of training: frozen dataclasses that validate themselves, and presets."""
