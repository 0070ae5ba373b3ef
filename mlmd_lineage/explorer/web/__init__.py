"""The web server of the explorer: its page, its checks, and the questions that it answers."""
