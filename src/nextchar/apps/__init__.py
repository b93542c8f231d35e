"""Applications of a trained model. Nothing here imports training.

Each command has its package or module:

    batch_predictor.py   predictions for many positions at once, by the engine
    context_loss.py      loss by length of context
    evaluate.py          `nextchar eval`: score of a text
    explain/             `nextchar explain`: what a model knows of a text
    html/                style, template and charts of HTML pages
    memorisation/        passages and records copied from the training text
    ngrams.py            baselines: uniform, character frequency, n-grams
    predictions.py       the prediction at every position of a text
    report/              `nextchar report`: runs and their models as a page or images
"""
