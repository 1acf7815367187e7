"""Jobs on a cluster that this machine is not part of."""
