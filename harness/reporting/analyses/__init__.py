"""Earlier declarations and analyses: exploratory verdicts, and the verdict under the first declaration."""
