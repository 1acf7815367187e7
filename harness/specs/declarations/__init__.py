"""What was declared, every analysis that was made, and which later verdicts are exploratory because of them."""
