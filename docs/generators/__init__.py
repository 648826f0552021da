"""What makes the generated pages: commands to man pages and Markdown, types to tables."""
