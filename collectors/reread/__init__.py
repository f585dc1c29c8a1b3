"""Reads resources again when the stream asks: the queue of wishes, and the loop around a provider's calls."""
