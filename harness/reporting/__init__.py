"""Reports, from the table of results to verdicts, figures and Markdown pages. Imports no torch, Ray or MLflow."""
