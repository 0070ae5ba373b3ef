"""Configuration: folders, files written whole, PEM material, secrets and the environment."""
