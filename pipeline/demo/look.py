"""The instructions of `driftline demo --keep` for inspecting the running programs."""

import os

from driftline.pipeline.demo.stage import Stage
from driftline.pipeline.demo.view import ALERTS, ALIAS, HISTORY


def how_to_look(stage: Stage) -> str:
    """Addresses, and commands to paste into another terminal."""
    url = stage.elastic.url
    return f"""
It keeps running, with a sweep every three seconds, until Ctrl-C here (or: kill {os.getpid()}).

Elasticsearch {url}
  curl -s '{url}/{ALIAS}/_search?q=driftline.status:open&size=5&pretty'
  curl -s '{url}/{HISTORY}/_search?sort=event.ingested:desc&size=5&pretty'
  curl -s '{url}/{ALERTS}/_search?sort=@timestamp:desc&size=5&pretty'
Kafka         {stage.kafka.bootstrap}
AWS           {stage.estate.url} (simulated; accounts {", ".join(stage.estate.accounts)})
Driftline     in another terminal, first:
  . {stage.folder}/env
  driftline coverage
  driftline timeline mallory
  driftline doctor
  driftline deadletter list
  driftline scan aws --accounts all --fail-on critical
Kibana        needs a full Elasticsearch: this one is a test build without scripts. With your own 9.x:
  set elasticsearch.url in driftline.yaml, run driftline sink elasticsearch --install and driftline sink elasticsearch,
  set elasticsearch.hosts: ["https://YOURS:9200"] in kibana.yml, and open Security, Findings, Misconfigurations."""
