"""The search for a network whose training step takes as long as that of another one."""
