"""Clusters: files of Ray's launcher read and checked, their heads spoken to, jobs sent there and followed."""
