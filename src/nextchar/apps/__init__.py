"""What people do with a model. Nothing here imports training."""
