"""An experiment over several data sets: its verdicts, its mean effects, its figures and its page."""
