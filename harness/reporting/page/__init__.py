"""The pages of reports: Markdown tables, sections and templates. ``report.py`` writes one."""
