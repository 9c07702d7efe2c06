"""Whole loss curves: history, discrepancy, forecast, laws over curves, best schedules."""
