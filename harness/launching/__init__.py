"""Plan, jobs, and the two launchers: Ray Tune and inline."""
