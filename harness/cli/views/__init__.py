"""The output of the commands: functions that turn results into lines, tables and JSON."""
