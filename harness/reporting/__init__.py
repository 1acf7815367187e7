"""From the table of results to verdicts, figures and Markdown. No torch, no ray, no mlflow."""
