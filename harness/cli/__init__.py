"""The command line: it parses options, calls harness.api, and prints."""
