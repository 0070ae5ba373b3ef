"""Commands for configuration: settings, secrets and certificates."""
