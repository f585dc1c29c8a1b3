"""Rows: one for each resource type, in tables of YAML. What the rows of every provider have, and how tables are loaded."""
