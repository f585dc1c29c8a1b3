"""`python -m pipeline` is `driftline`."""

from pipeline.cli import run

if __name__ == "__main__":
    run()
