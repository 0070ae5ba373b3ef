"""The explorer: a JSON interface over the public API, its server, its pages and its widget."""
