"""`python -m driftline.pipeline` is `driftline`."""

from driftline.pipeline.cli import run

if __name__ == "__main__":
    run()
