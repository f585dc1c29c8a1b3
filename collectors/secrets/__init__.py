"""Recognizing secrets: by form (forms), by name (names), by what a value can be (values), in structured text (texts). Pure."""
