"""Single trials: find them, show how far they are, train one again, discard them, free their space."""
