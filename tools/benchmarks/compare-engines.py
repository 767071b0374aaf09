#!/usr/bin/env python3
"""Times `minilm serve` beside other engines for the same model: the same texts, in turns, each engine in a process of its own.

    pip install torch sentence-transformers onnxruntime onnx openvino ctranslate2      (those that are missing are left out)
    tools/benchmarks/compare-engines.py [--engines minilm,onnxruntime] [--rounds 5] [--threads 2] [FILE...]

Texts are cut from the files (default: the licences that every Debian machine has) to known numbers of tokens: short (8 to 24), 128,
256 (the window), mixed (16 to 256). The others get what their users do by hand: texts sorted by length, batches of 32, padding;
minilm gets one request a workload, through its pipes. Tokenization, pooling and protocol count for all.

Prints medians of the rounds: seconds from the process's start to the first vector, texts a second, milliseconds of one text alone (the
median text), peak memory; then how minilm compares with the best float32 engine of each column, and the largest difference between its
vectors and each engine's. The exports (ONNX, CTranslate2) are kept in --cache.
"""
import argparse, base64, importlib.util, json, os, random, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LICENCES = "/usr/share/common-licenses"


def peak(process):
    """The largest resident set of a process, in MB."""
    with open(f"/proc/{process}/status") as status:
        return int(status.read().split("VmHWM:")[1].split()[0]) / 1024


class MiniLM:
    """The program, spawned; also with its other backend."""
    backend = "simd"

    def __init__(self, a):
        command = [a.program, "serve", "--threads", str(a.threads), "--backend", self.backend]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1 << 20)

    def __call__(self, texts):
        import numpy as np
        request = {"id": 1, "method": "embed", "params": {"input": texts, "encoding_format": "base64"}}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        data = json.loads(self.process.stdout.readline())["result"]["data"]
        return np.array([np.frombuffer(base64.b64decode(x["embedding"]), "<f4") for x in data])

    def peak(self):
        return peak(self.process.pid)


class MiniLMOpenBLAS(MiniLM):
    backend = "openblas"


class InProcess:
    def peak(self):
        return peak("self")


class SentenceTransformers(InProcess):
    needs = ["torch", "sentence_transformers"]

    def __init__(self, a):
        import torch
        from sentence_transformers import SentenceTransformer
        torch.set_num_threads(a.threads)
        self.model = SentenceTransformer(a.checkpoint, device="cpu")

    def __call__(self, texts):
        return self.model.encode(texts, batch_size=32)


class Padded(InProcess):
    """Tokenizes, sorts, pads; what is left to an engine is `hidden(ids, mask)`."""

    def __init__(self, a):
        from tokenizers import Tokenizer
        self.tokenizer = Tokenizer.from_file(f"{a.checkpoint}/tokenizer.json")
        self.tokenizer.enable_truncation(256)
        self.tokenizer.enable_padding()

    def __call__(self, texts):
        import numpy as np
        vectors = np.zeros((len(texts), 384), np.float32)
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        for start in range(0, len(order), 32):
            chosen = order[start : start + 32]
            encodings = self.tokenizer.encode_batch([texts[i] for i in chosen])
            ids = np.array([e.ids for e in encodings], np.int64)
            mask = np.array([e.attention_mask for e in encodings], np.int64)
            pooled = (self.hidden(ids, mask) * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
            vectors[chosen] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors


class ONNXRuntime(Padded):
    needs = ["onnxruntime", "onnx", "torch", "transformers"]
    file = "optimized.onnx"

    def __init__(self, a):
        import onnxruntime
        super().__init__(a)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = a.threads
        self.session = onnxruntime.InferenceSession(f"{a.cache}/{self.file}", options, providers=["CPUExecutionProvider"])

    def hidden(self, ids, mask):
        return self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


class ONNXRuntimeInt8(ONNXRuntime):
    file = "int8.onnx"


class OpenVINO(Padded):
    needs = ["openvino", "onnx", "torch", "transformers"]

    def __init__(self, a):
        import openvino
        super().__init__(a)
        settings = {"INFERENCE_NUM_THREADS": a.threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        self.request = openvino.Core().compile_model(f"{a.cache}/model.onnx", "CPU", settings).create_infer_request()

    def hidden(self, ids, mask):
        return self.request.infer({"input_ids": ids, "attention_mask": mask})[0]


class CTranslate2(Padded):
    needs = ["ctranslate2", "torch", "transformers"]

    def __init__(self, a):
        import ctranslate2
        super().__init__(a)
        self.encoder = ctranslate2.Encoder(f"{a.cache}/ctranslate2", device="cpu", compute_type="float32", intra_threads=a.threads)

    def hidden(self, ids, mask):
        import numpy as np
        rows = [row[:count].tolist() for row, count in zip(ids, mask.sum(1))]
        return np.array(self.encoder.forward_batch(rows).last_hidden_state)


ENGINES = {
    "minilm": MiniLM, "minilm (openblas)": MiniLMOpenBLAS, "onnxruntime": ONNXRuntime, "openvino": OpenVINO, "ctranslate2": CTranslate2,
    "sentence-transformers": SentenceTransformers, "onnxruntime int8": ONNXRuntimeInt8,
}


def export(a):
    """Makes the other engines' files of the checkpoint, where they are not there."""
    if not os.path.exists(f"{a.cache}/int8.onnx") and any(issubclass(ENGINES[e], ONNXRuntime) or ENGINES[e] is OpenVINO for e in a.engines):
        import torch
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.transformers import optimizer
        from transformers import AutoModel
        bert = AutoModel.from_pretrained(a.checkpoint, attn_implementation="eager").eval()

        class LastHidden(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.bert = bert

            def forward(self, input_ids, attention_mask):
                return self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

        ids = torch.randint(1000, 2000, (2, 16))
        axes = {name: {0: "batch", 1: "tokens"} for name in ("input_ids", "attention_mask", "hidden")}
        torch.onnx.export(
            LastHidden(), (ids, torch.ones_like(ids)), f"{a.cache}/model.onnx", input_names=["input_ids", "attention_mask"],
            output_names=["hidden"], dynamic_axes=axes, opset_version=17, dynamo=False)
        optimizer.optimize_model(
            f"{a.cache}/model.onnx", model_type="bert", num_heads=12, hidden_size=384, opt_level=1, use_gpu=False
        ).save_model_to_file(f"{a.cache}/optimized.onnx")
        quantize_dynamic(
            f"{a.cache}/optimized.onnx", f"{a.cache}/int8.onnx", weight_type=QuantType.QInt8, per_channel=True,
            extra_options={"DefaultTensorType": 1})
    if not os.path.exists(f"{a.cache}/ctranslate2") and "ctranslate2" in a.engines:
        import ctranslate2
        ctranslate2.converters.TransformersConverter(a.checkpoint).convert(f"{a.cache}/ctranslate2")


def workloads(a):
    """Texts of known numbers of tokens, cut from the files between words."""
    words = [w for f in a.files for w in open(f, encoding="utf-8", errors="replace").read().split()]
    program = [a.program, "tokenize", "--input-format", "jsonl"]
    lines = "\n".join(json.dumps({"text": w}) for w in words)
    output = subprocess.run(program, input=lines, stdout=subprocess.PIPE, text=True, check=True).stdout
    sizes = [len(json.loads(line)["ids"]) - 2 for line in output.splitlines()]
    choose = random.Random(42)

    def text(tokens):
        chosen, left, at = [], tokens - 2, choose.randrange(len(words))
        while left > 0:
            at = (at + 1) % len(words)
            if sizes[at] <= left:
                chosen.append(words[at])
                left -= sizes[at]
        return " ".join(chosen)

    scale = a.scale
    return {
        "short": [text(choose.randint(8, 24)) for _ in range(int(2000 * scale))],
        "128": [text(128) for _ in range(int(400 * scale))],
        "256": [text(256) for _ in range(int(200 * scale))],
        "mixed": [text(16 + i * 37 % 241) for i in range(int(400 * scale))],
    }


def child(a):
    import numpy as np
    texts = json.load(open(a.texts))
    start = time.perf_counter()
    engine = ENGINES[a.child](a)
    engine(["The first text."])
    result = {"start, s": time.perf_counter() - start}
    for name, chosen in texts.items():
        start = time.perf_counter()
        vectors = engine(chosen)
        result[f"{name}, texts/s"] = len(chosen) / (time.perf_counter() - start)
        if name == "mixed":
            np.save(a.vectors, vectors)
    for name, count in (("short", 200), ("128", 40)):
        latencies = []
        for text in texts[name][:count]:
            start = time.perf_counter()
            engine([text])
            latencies.append((time.perf_counter() - start) * 1e3)
        result[f"one {name}, ms"] = statistics.median(latencies)
    result["peak, MB"] = engine.peak()
    print("\n" + json.dumps(result))


def show(text):
    """How far the work is, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def measure(a, directory):
    """The rounds' results, an engine."""
    results = {engine: [] for engine in a.engines}
    for round in range(a.rounds):
        for engine in a.engines:
            show(f"round {round + 1} of {a.rounds}: {engine}")
            command = [sys.executable, __file__, "--child", engine, "--texts", f"{directory}/texts", "--vectors", f"{directory}/{engine}.npy"]
            command += ["--threads", str(a.threads), "--program", a.program, "--checkpoint", a.checkpoint, "--cache", a.cache]
            run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if run.returncode != 0:
                raise SystemExit(f"\n{engine} failed:\n{run.stderr[-2000:]}")
            results[engine].append(json.loads(run.stdout.strip().splitlines()[-1]))
    show("")
    return {e: {k: statistics.median(r[k] for r in rounds) for k in rounds[0]} for e, rounds in results.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("files", nargs="*", metavar="FILE")
    p.add_argument("--engines", default=",".join(ENGINES), help="of: " + ", ".join(ENGINES))
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--scale", type=float, default=1, help="more or fewer texts")
    p.add_argument("--program", default=f"{ROOT}/.build/release/minilm")
    p.add_argument("--checkpoint", default=f"{ROOT}/weights/checkpoint")
    p.add_argument("--cache", default=os.path.expanduser("~/.cache/minilm/benchmarks"))
    for hidden in ("--child", "--texts", "--vectors"):
        p.add_argument(hidden, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.child:
        return child(a)
    import numpy as np
    a.files = a.files or [f"{LICENCES}/{name}" for name in ("GPL-3", "Apache-2.0", "MPL-2.0")]
    a.engines = [e for e in a.engines.split(",") if all(importlib.util.find_spec(m) for m in getattr(ENGINES[e], "needs", []))]
    os.makedirs(a.cache, exist_ok=True)
    export(a)
    with tempfile.TemporaryDirectory() as directory:
        with open(f"{directory}/texts", "w") as file:
            json.dump(workloads(a), file)
        medians = measure(a, directory)
        columns = list(next(iter(medians.values())))
        rows = [(e, medians[e]) for e in a.engines]
        peers = [e for e in a.engines if not e.startswith("minilm") and "int8" not in e]
        if "minilm" in medians and peers:
            def better(column):
                values = [medians[e][column] for e in peers]
                ours = medians["minilm"][column]
                return ours / max(values) if "texts/s" in column else min(values) / ours
            rows.append(("times better than the best of float32", {c: better(c) for c in columns}))
        print("| engine | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
        for name, values in rows:
            print(f"| {name} | " + " | ".join(f"{values[c]:.2f}" if values[c] < 100 else f"{values[c]:.0f}" for c in columns) + " |")
        if "minilm" in medians:
            ours = np.load(f"{directory}/minilm.npy")
            for engine in a.engines:
                if engine != "minilm":
                    print(f"largest difference from {engine}: {np.abs(ours - np.load(f'{directory}/{engine}.npy')).max():.2g}")


main()
