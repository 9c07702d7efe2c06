"""The functional core: laws, data, objectives and the compiled fitting engine (numpy and jax only)."""
