"""Ray on this machine alone: its directory, its token, its limits and its processes."""
