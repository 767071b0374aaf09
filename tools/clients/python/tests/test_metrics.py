"""The file of `--metrics-file`, read by Prometheus' own parser."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families


def test_the_file_is_what_prometheus_reads(program: str, tmp_path: Path) -> None:
    path = tmp_path / "minilm.prom"
    calls = [("embed", {"input": ["a", "b"]}), ("tokenize", {"input": "a"}), ("embed", {"input": 5}), ("stats", {})]
    lines = [json.dumps({"id": i, "method": method, "params": params}) for i, (method, params) in enumerate(calls)]
    engine = subprocess.run(
        [program, "serve", "--metrics-file", str(path)],
        input="\n".join([*lines, "garbage"]).encode(), check=True, capture_output=True,
    )
    assert len(engine.stdout.splitlines()) == 5
    families = list(text_string_to_metric_families(path.read_text()))
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    for family in families:
        assert family.name.startswith("minilm_") and family.documentation and family.type != "unknown"
    samples = {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}
    assert samples[("minilm_requests_total", ("method", "embed"))] == 1
    assert samples[("minilm_requests_total", ("method", "tokenize"))] == 1
    assert samples[("minilm_request_errors_total", ("code", "-32602"))] == 1
    assert samples[("minilm_request_errors_total", ("code", "-32700"))] == 1
    assert samples[("minilm_texts_total",)] == 2 and samples[("minilm_lines_total",)] == 5
    assert samples[("minilm_request_duration_seconds_count", ("method", "embed"))] == 1
    total = samples[("minilm_request_duration_seconds_sum", ("method", "embed"))]
    quantile = samples[("minilm_request_duration_seconds", ("method", "embed"), ("quantile", "0.99"))]
    assert 0 < quantile <= 1.02 * total
    assert samples[("minilm_active_requests",)] == 0 and samples[("minilm_resident_bytes",)] > 1 << 20
