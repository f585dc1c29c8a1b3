#!/bin/bash
# Writes plans/*.json anew: real plans of the folders under code/, by Terraform itself and, in place of the AWS provider, the
# stand-in of provider/ (it keeps its cloud in files; nothing is called). Needs terraform (1.11 or later) and Go:
#   tests/collectors/terraform/make.sh [NAME…]
# A folder's steps.sh, where it has one, runs in place of `apply; plan`. A plan holds variables and passwords in clear: those
# here are made up ("redacted"); never put one of yours here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); work=$(mktemp -d); trap '[ "${KEEP:-}" ] || rm -rf "$work"' EXIT
cp -r "$here/provider" "$work/provider"
(cd "$work/provider" && go mod tidy >/dev/null 2>&1 && go build -o terraform-provider-aws .)
printf 'provider_installation {\n  dev_overrides { "hashicorp/aws" = "%s" }\n  direct {}\n}\n' "$work/provider" > "$work/rc"
export TF_CLI_CONFIG_FILE=$work/rc TF_IN_AUTOMATION=1 TF_CLI_ARGS=-no-color CHECKPOINT_DISABLE=1

apply() { terraform apply -auto-approve "$@" > log || { cat log; exit 1; }; }
plan() { terraform plan -out plan "$@" > log 2>&1 || true; terraform show -json plan > plan.json; }
edit() { python3 - "$@" <<'P'
import pathlib, sys
file = pathlib.Path("cloud/111111111111", sys.argv[1] + ".json"); text = file.read_text()
assert sys.argv[2] in text, (sys.argv, text)
file.write_text(text.replace(sys.argv[2], sys.argv[3]))
P
}
tidy() { python3 - "$@" <<'P'
import json, pathlib, sys
data = json.loads(pathlib.Path(sys.argv[1]).read_text())
if "timestamp" in data:
    data["timestamp"] = "2026-01-01T00:00:00Z"
pathlib.Path(sys.argv[2]).write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
P
}

for name in ${@:-$(ls "$here/code")}; do
  cp -r "$here/code/$name" "$work/$name"; cd "$work/$name"
  # modules need an init, which asks no registry here: the only provider is overridden
  if grep -q '^module' main.tf; then terraform get > log; fi
  if ! grep -q hashicorp/aws main.tf; then terraform init > log; fi
  if [ -e steps.sh ]; then . ./steps.sh; else apply; plan; fi
  tidy plan.json "$here/plans/$name.json"
  if [ "$name" = sensitive ]; then
    terraform show -json > state.json; tidy state.json "$here/plans/state-shown.json"
    sed -i 's/"lineage": "[^"]*"/"lineage": "made-up"/' terraform.tfstate; tidy terraform.tfstate "$here/plans/state-file.json"
  fi
done
