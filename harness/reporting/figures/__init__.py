"""The figures of a report, drawn from results and verdicts. ``report_figures.py`` lists them all."""
