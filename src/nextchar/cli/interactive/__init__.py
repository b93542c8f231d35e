"""Terminal application of `nextchar generate --interactive`.

A key acts on the controller, and the screen is drawn from its state.

    terminal_app.py   the application: terminal, signals, output
    controller.py     actions of the keys, without a terminal
    keys.py           bindings of keys to actions
    screen.py         the screen as rows of styled text
"""
