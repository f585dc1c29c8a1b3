"""Recognizes secrets: by form (forms), by name (names), by plausible value (values), and in structured text (texts).
Pure."""
