"""What the commands print: functions that turn results into lines, tables and JSON."""
