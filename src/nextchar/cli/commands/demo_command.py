"""`nextchar demo`."""

from __future__ import annotations

import click

PROMPT = "The "


@click.command("demo")
@click.option("--time", default="50s", metavar="T", help="Time of training.  [default: 50s]")
def command(time: str) -> None:
    """Train on Python's documentation for a minute and generate some text.

    The same by hand: nextchar train pydoc --time 50s, then
    nextchar generate runs/pydoc --prompt "The ".
    """
    from nextchar.cli.commands import generate_command, train_command
    from nextchar.training.saving.run_directory import free_name

    directory = str(free_name(["pydoc"]))
    click.echo(f"training on Python's documentation topics for {time} …", err=True)
    context = click.get_current_context()
    context.invoke(train_command.command, files=("pydoc",), out=directory, time=time)
    click.echo(f"\ngenerated after {PROMPT!r}:\n", err=True)
    generate = generate_command.command
    context.invoke(generate, model=directory, prompt=PROMPT, echo=True, temperature=0.7)
