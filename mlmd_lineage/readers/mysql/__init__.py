"""Reading MLMD from MySQL and MariaDB databases."""
