"""Clusters of Ray's launcher, seen from a machine outside: capacity, checks of their files, and jobs sent to them."""
