"""Output of the commands.

    error_output.py      messages and exit statuses of errors
    stdio.py             standard streams that are closed or unread
    text_io.py           prompts from files, exact output of texts
    generated_texts.py   seed, JSON and separators of generated texts
    copied_passages.py   copied passages: shading, summary
    explain_summary.py   summary of an explanation
    colours.py           colours of the terminal, shades
    terminal_glyphs.py   visible forms of characters on a terminal
    compile_notice.py    note that kernels are being compiled

Results go to standard output, everything else to standard error.
"""
