"""How well laws foretell: backtest, comparison, ensembles, extrapolation, how large a law's own error is."""
