"""Single trials: find one, train it again, discard it, free space."""
