"""Characters in: corpora, the vocabulary, batches. Knows nothing of networks."""
