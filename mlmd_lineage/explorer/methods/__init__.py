"""The methods of the explorer: functions over the public API whose answers are JSON."""
