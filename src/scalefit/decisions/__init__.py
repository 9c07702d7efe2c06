"""What to train: optimal sizes, the classical approaches, crossovers, recipes, next runs, mixtures."""
