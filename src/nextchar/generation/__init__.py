"""Text generation: continue a prompt, one character at a time.

A text passes from `requests` through `scheduler`, `sequence` and the decoder to `detokenizer`.

    generate.py              texts of one or many requests, whole or streamed
    requests.py              a request, checked against the model, and the parts of its answer
    generation_settings.py   settings of sampling, and their aliases
    scheduler.py             continuous batching: requests that enter and leave a running batch
    sequence.py              state of one sample in the batch
    detokenizer.py           codes to text, incrementally, up to a stop string
    stop_strings.py          stop strings: checks, the first one in a text
    sampling.py              logits to the next character
    penalties.py             biases, penalties and bans on logits
    beam_search.py           the most probable text, by beam search
    autocomplete.py          the most probable continuations of a prefix
    stepper.py               a model read one character at a time
    interactive/             a text that a person and a model write together
    pattern/                 regular expressions as automata over codes
"""
