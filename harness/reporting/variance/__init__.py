"""What the seeds of a report vary, and how much each source of randomness moves the results."""
