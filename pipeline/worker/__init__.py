"""The worker process. The only package that imports Faust."""
