"""Registered secrets, in the keyring or in an encrypted file."""
