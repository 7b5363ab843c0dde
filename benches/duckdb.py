#!/usr/bin/env python3
"""Sums up the same logs with `pointsman replay` and with DuckDB, in pairs, on one core and on two, and prints a table.

    benches/duckdb.py                        what docs/speed.md shows, some minutes; wants 1.1 GB under target/
    benches/duckdb.py --lines 100000 --rows 30000 --rounds 3

DuckDB is installed by pip into an environment of its own under target/. It is given what helps it: the columns it needs
and their types. It groups tokens and cost by model and team; Pointsman prices every request, routes it, and groups by
model, team, project, route and task. Pointsman's time is that of the whole program, DuckDB's that of the query alone.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSION = "2.0.1"
MODELS = ["gemini-2.5-flash", "gpt-4.1", "gpt-4.1-nano", "claude-opus-4-6", "mistral-small-2503"]
TEAMS = ["payments", "search", "support", "platform", "research"]
TASKS = ["classification", "extraction", "summarisation", "code", "agent", "question"]
QUERIES = {
    "ours": """select model, team, count(*), sum("in"), sum("out"), sum(cache_read)
        from read_json('{path}', format='newline_delimited', columns={{
            'model': 'VARCHAR', 'team': 'VARCHAR', 'in': 'BIGINT', 'out': 'BIGINT', 'cache_read': 'BIGINT'}})
        group by all""",
    "litellm": """select model, team_id, count(*), sum(prompt_tokens), sum(completion_tokens), sum(spend)
        from read_json('{path}', format='newline_delimited', columns={{
            'model': 'VARCHAR', 'team_id': 'VARCHAR', 'prompt_tokens': 'BIGINT', 'completion_tokens': 'BIGINT',
            'spend': 'DOUBLE'}})
        group by all""",
}


def moment(n, sep="T"):
    second = n // 50
    day, hour, minute = 1 + second // 86400 % 28, second // 3600 % 24, second // 60 % 60
    return f"2026-05-{day:02}{sep}{hour:02}:{minute:02}:{second % 60:02}.{n % 50 * 20:03}"


def ours(n, r):
    return (
        f'{{"id":"op-{n:09}-4f3c2b1a","at":"{moment(n)}Z","team":"{r.choice(TEAMS)}","project":"{r.choice(TEAMS)}-service",'
        f'"user":"user-{r.randrange(20000):05}","session":"session-{n // 20:06}","asked":"auto","task":"{r.choice(TASKS)}",'
        f'"confidence":{r.randrange(1001)},"turn":{n % 20},"model":"{r.choice(MODELS)}","provider":"openai",'
        f'"in":{r.randrange(20000)},"cache_read":{r.randrange(2) * r.randrange(20000)},"out":{r.randrange(2000)},'
        f'"began_us":{r.randrange(900)},"latency_ms":{200 + r.randrange(20000)},"ttft_ms":{100 + r.randrange(900)},"status":"ok"}}\n'
    )


def litellm(n, r):
    prompt, answer, team, model = r.randrange(20000), r.randrange(2000), r.choice(TEAMS), r.choice(MODELS)
    usage = (
        f'{{"completion_tokens":{answer},"prompt_tokens":{prompt},"total_tokens":{prompt + answer},'
        '"completion_tokens_details":{"accepted_prediction_tokens":0,"audio_tokens":0,"reasoning_tokens":0,'
        '"rejected_prediction_tokens":0},"prompt_tokens_details":{"audio_tokens":0,"cached_tokens":0}}'
    )
    key = f"{r.getrandbits(256):064x}"
    metadata = (
        f'{{"user_api_key":"{key}","user_api_key_alias":"{team}-ci","user_api_key_team_id":"{team}",'
        f'"user_api_key_team_alias":"{team}","user_api_key_org_id":null,"user_api_key_user_id":"user-{r.randrange(2000):04}",'
        '"user_api_key_end_user_id":null,"requester_ip_address":"10.0.3.17","applied_guardrails":[],"batch_models":null,'
        '"guardrail_information":null,'
        f'"usage_object":{usage},"additional_usage_values":{{"prompt_tokens_details":null,"completion_tokens_details":null}},'
        f'"model_map_information":{{"model_map_key":"{model}","model_map_value":{{"key":"{model}","max_tokens":32768,'
        '"max_input_tokens":1047576,"max_output_tokens":32768,"input_cost_per_token":2e-06,"output_cost_per_token":8e-06,'
        '"litellm_provider":"openai","mode":"chat","supports_vision":true,"supports_function_calling":true,'
        '"supports_tool_choice":true,"supports_prompt_caching":true}},"cold_storage_object_key":null,'
        '"litellm_overhead_time_ms":1.93,"cost_breakdown":{"input_cost":0.0021,"output_cost":0.0042,"tool_usage_cost":0.0,'
        '"total_cost":0.0063},"attempted_retries":0,"attempted_fallbacks":0,"status":"success","error_information":null}'
    )
    return (
        f'{{"request_id":"chatcmpl-{r.getrandbits(96):024x}{n:08}","call_type":"acompletion","api_key":"{key}",'
        f'"spend":{(prompt * 2 + answer * 8) / 1e6:.6f},"total_tokens":{prompt + answer},"prompt_tokens":{prompt},'
        f'"completion_tokens":{answer},"startTime":"{moment(n)}000Z","endTime":"{moment(n + 100)}000Z",'
        f'"completionStartTime":"{moment(n + 25)}000Z","request_duration_ms":2000,"model":"{model}","model_id":"{key[:32]}",'
        f'"model_group":"{model}","custom_llm_provider":"openai","api_base":"https://api.openai.com/v1/","user":"default_user_id",'
        f'"metadata":{metadata},"cache_hit":"False","cache_key":"Cache OFF","request_tags":["User-Agent: OpenAI","project:{team}"],'
        f'"team_id":"{team}","organization_id":null,"end_user":"","requester_ip_address":"10.0.3.17","messages":{{}},'
        f'"response":{{}},"session_id":"{r.getrandbits(128):032x}","status":"success","mcp_namespaced_tool_name":null,'
        '"agent_id":null,"proxy_server_request":{}}\n'
    )


def written(path, count, line):
    if not path.exists():
        r = random.Random(1)
        with open(path, "w") as out:
            for n in range(count):
                out.write(line(n, r))
    return path


def program(command, cores):
    start = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, range(cores))
    )
    _, status, used = os.wait4(child.pid, 0)
    took = time.perf_counter() - start
    if status != 0:
        sys.exit(f"{command} ended with {status}")
    return took, used.ru_utime + used.ru_stime


def query(python, text, cores):
    script = (
        "import sys, time, duckdb\n"
        "con = duckdb.connect()\n"
        "con.execute('set enable_progress_bar = false')\n"
        f"con.execute('set threads = {cores}')\n"
        "wall, cpu = time.perf_counter(), time.process_time()\n"
        "con.execute(sys.argv[1]).fetchall()\n"
        "print(time.perf_counter() - wall, time.process_time() - cpu)\n"
    )
    done = subprocess.run(
        [python, "-I", "-c", script, text],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, range(cores)),
    )
    wall, cpu = done.stdout.split()
    return float(wall), float(cpu)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--pointsman", default=str(ROOT / "target/release/pointsman"), help="the program to measure")
    args.add_argument("--lines", type=int, default=1_000_000, help="lines of Pointsman's own format")
    args.add_argument("--rows", type=int, default=300_000, help="LiteLLM spend rows")
    args.add_argument("--rounds", type=int, default=7, help="pairs of runs; the medians are shown")
    args = args.parse_args()
    place = ROOT / "target/duckdb"
    python = place / "env/bin/python"
    place.mkdir(parents=True, exist_ok=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", place / "env"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"duckdb=={VERSION}"], check=True)
    logs = [
        ("ours", written(place / f"ours-{args.lines}.jsonl", args.lines, ours)),
        ("litellm", written(place / f"litellm-{args.rows}.jsonl", args.rows, litellm)),
    ]
    print("| log | cores | Pointsman | DuckDB | CPU of both |")
    print("|---|---|---|---|---|")
    for name, path in logs:
        text = QUERIES[name].format(path=path)
        for cores in (1, 2):
            pairs = []
            for _ in range(args.rounds + 1):
                pairs.append((program([args.pointsman, "replay", str(path)], cores), query(python, text, cores)))
            # The first pair finds the file on disk.
            pairs = pairs[1:]
            middle = lambda pick: sorted(map(pick, pairs))[len(pairs) // 2]
            figures = [middle(lambda pair, of=of, what=what: pair[of][what]) for what in (0, 1) for of in (0, 1)]
            size = path.stat().st_size / 1e6
            print(
                f"| {name}, {size:.0f} MB | {cores} | {figures[0]:.2f} s | {figures[1]:.2f} s"
                f" | {figures[2]:.2f} s, {figures[3]:.2f} s |",
                flush=True,
            )


if __name__ == "__main__":
    main()
