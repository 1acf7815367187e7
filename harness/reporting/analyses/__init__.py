"""What was declared and analysed before: exploratory verdicts, and the verdict under the first declaration."""
