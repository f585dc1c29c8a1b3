"""The top folders are the packages of `driftline`: what is installed takes no other name in a user's environment."""

from setuptools import find_namespace_packages, setup

FOLDERS = ("pipeline", "collectors", "rules", "sinks")

setup(
    packages=[
        f"driftline.{name}"
        for folder in FOLDERS
        for name in find_namespace_packages(include=[folder, f"{folder}.*"])
    ],
    package_dir={f"driftline.{folder}": folder for folder in FOLDERS},
)
