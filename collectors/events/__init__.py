"""What the readers of every provider's change events share."""
