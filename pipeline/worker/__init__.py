"""The Faust worker: the only place where Faust is imported."""
