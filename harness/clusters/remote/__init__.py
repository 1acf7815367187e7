"""The head of a running cluster: ssh, compatibility, and jobs on its job server."""
