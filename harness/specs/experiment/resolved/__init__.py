"""Parts of a resolved experiment: its fields, the trials that follow from them, and the names of their variants."""
