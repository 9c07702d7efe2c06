"""Tools of others, where these are installed: `scalefit.neighbours.optuna`, `scalefit.neighbours.mlflow`."""
