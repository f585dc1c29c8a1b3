"""Sweeps of any provider: threads, order, progress, and what is gone. What an account is, and how it is walked, is the provider's."""
