"""What every sink of tickets shares: one real ticket is made for each wanted one, and kept equal to it."""
