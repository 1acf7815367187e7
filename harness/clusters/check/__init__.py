"""The check of a cluster's file before `ray up`. ``cluster_check.py`` runs all checks."""
