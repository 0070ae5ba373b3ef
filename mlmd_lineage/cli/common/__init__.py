"""What the commands share: options, output, and how a command runs."""
