"""Readers of MySQL and MariaDB databases."""
