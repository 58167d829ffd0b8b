"""The golden cases and what runs them: see README.md in this folder."""
