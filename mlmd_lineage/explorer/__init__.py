"""The explorer: a JSON interface over the public API, its server, its page and its widget."""
