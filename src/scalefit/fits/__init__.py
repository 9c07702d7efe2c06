"""Fits: status, record, draws, noise, the law's own error, checks of fits and of predictions,
text, saving."""
