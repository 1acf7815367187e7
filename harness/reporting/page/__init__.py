"""The pages of reports as Markdown: tables, sections and templates. ``report_content.py`` fills the report of an experiment."""
