#!/usr/bin/env bash
# What Pointsman costs in front of a model API that answers at once, beside nginx as a plain proxy and, with --litellm,
# beside LiteLLM: builds, runs, prints the table. Loopback only; every process it starts, it ends.
#
#   benches/gateway.sh                        the usual run, some five minutes
#   benches/gateway.sh --quick                a minute
#   benches/gateway.sh --memory 1000000       the run whose figures stand in the documents
#   benches/gateway.sh --litellm              LiteLLM from PyPI joins (installed into a folder that is removed again)
#   benches/gateway.sh --budgets              Pointsman with four budgets in force joins
#   benches/gateway.sh --pairs 15              what four budgets cost, in pairs with a gateway without
#   benches/gateway.sh --soak 300             mixed traffic for five minutes; fails when memory or open files grow
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v nginx >/dev/null && [ ! -x /usr/sbin/nginx ]; then
    echo "nginx is missing, so the run goes without it. On Debian and Ubuntu: apt-get install nginx-light" >&2
fi

desk="$(mktemp -d)"
trap 'rm -rf "$desk"' EXIT
args=()
for arg in "$@"; do
    if [ "$arg" = --litellm ]; then
        echo "installing LiteLLM ..." >&2
        python3 -m venv "$desk/venv"
        "$desk/venv/bin/pip" install --quiet 'litellm[proxy]==1.106.2'
        args+=(--litellm "$desk/venv/bin/litellm")
    else
        args+=("$arg")
    fi
done

cargo bench --locked --bench gateway -- "${args[@]}"
