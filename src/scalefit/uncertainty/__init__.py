"""How sure: bootstrap, jackknife, sandwich, profile, posterior; checkpoints of long studies."""
