"""Recording of commands: a program that is run as a step."""
