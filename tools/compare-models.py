#!/usr/bin/env python3
"""Proves the converter and the engine on other models: random BERT checkpoints of many shapes against transformers.

    pip install torch transformers==5.23.0 sentence-transformers==6.2.0 tokenizers==0.23.3
    tools/compare-models.py [--program .build/release/minilm] [--seed 1] [--keep DIR]

Every checkpoint has random weights and a random vocabulary, is saved as sentence-transformers saves it (or, for some, as a plain
transformers checkpoint with vocab.txt alone), converted, verified, and both embed the same texts. Exits with 1 when a vector
differs by more than 2e-6 of the vector's length.
"""
import argparse, itertools, json, os, random, shutil, subprocess, sys, tempfile

import numpy as np
import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Normalize, Pooling, Transformer
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel, BertTokenizerFast

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# hidden, heads, layers, intermediate, vocabulary, positions, pooling, normalize, dtype, lowercase, form
SHAPES = [
    (384, 12, 6, 1536, 2000, 512, "mean", True, "F32", True, "st"),
    (384, 12, 12, 1536, 900, 512, "mean", True, "F16", True, "st"),
    (768, 12, 2, 3072, 700, 512, "cls", True, "BF16", True, "st"),
    (128, 2, 2, 512, 500, 128, "mean", False, "F32", True, "st"),
    (20, 5, 3, 36, 300, 64, "max", True, "F32", True, "st"),
    (33, 3, 1, 7, 301, 40, "cls", False, "F16", False, "st"),
    (64, 1, 4, 100, 257, 300, "max", False, "BF16", False, "st"),
    (12, 12, 2, 48, 200, 33, "mean", True, "F32", True, "st"),
    (96, 4, 3, 384, 400, 256, "mean", True, "F32", True, "saved-by-library"),
    (72, 6, 2, 200, 350, 100, "mean", False, "F32", True, "plain"),
    (72, 6, 2, 200, 350, 100, "mean", True, "F16", True, "bert-prefix"),
    (1024, 16, 2, 4096, 600, 512, "mean", True, "F32", True, "st"),
]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-éß東京"
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def vocabulary(size, rng, lowercase):
    letters = list(dict.fromkeys(LETTERS + ("" if lowercase else LETTERS.upper())))
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + ["##" + c for c in letters]
    tokens = list(dict.fromkeys(tokens))
    while len(tokens) < size:
        token = rng.choice(["", "##"]) + "".join(rng.choice(letters[:26]) for _ in range(rng.randint(2, 5)))
        if token not in tokens:
            tokens.append(token)
    return tokens


def make(shape, directory, rng):
    hidden, heads, layers, intermediate, vocab_size, positions, pooling, normalize, dtype, lowercase, form = shape
    tokens = vocabulary(max(vocab_size, 120), rng, lowercase)
    os.makedirs(directory)
    with open(f"{directory}/vocab.txt", "w") as f:
        f.write("".join(t + "\n" for t in tokens))
    config = BertConfig(vocab_size=len(tokens), hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
                        intermediate_size=intermediate, max_position_embeddings=positions, layer_norm_eps=rng.choice([1e-12, 1e-6]),
                        type_vocab_size=rng.choice([1, 2]))
    model = BertModel(config).eval()
    for name, parameter in model.named_parameters():
        scale = 1 / max(parameter.shape[-1], 1) ** 0.5
        torch.nn.init.normal_(parameter, mean=1.0 if "LayerNorm.weight" in name else 0.0, std=0.2 if parameter.dim() == 1 else scale * 1.5)
    model = model.to(DTYPES[dtype])
    tokenizer = BertWordPieceTokenizer(f"{directory}/vocab.txt", lowercase=lowercase, strip_accents=lowercase)
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    window = rng.choice([positions, max(8, positions // 2)])
    dump = lambda name, value: json.dump(value, open(f"{directory}/{name}", "w"))
    dump("tokenizer_config.json", {"do_lower_case": lowercase, "tokenizer_class": "BertTokenizer", "model_max_length": window,
                                   "strip_accents": lowercase})
    if form == "plain":
        model.save_pretrained(directory)
        return window
    tokenizer.save(f"{directory}/tokenizer.json")
    if form == "bert-prefix":
        state = {"bert." + k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v.contiguous()
                 for k, v in model.state_dict().items()}
        state["cls.predictions.bias"] = torch.zeros(len(tokens), dtype=DTYPES[dtype])
        save_file(state, f"{directory}/model.safetensors", metadata={"format": "pt"})
        config.architectures = ["BertForMaskedLM"]
        config.save_pretrained(directory)
    else:
        model.save_pretrained(directory)
    modules = ["Transformer", "Pooling"] + (["Normalize"] if normalize else [])
    dump("modules.json", [{"idx": i, "name": str(i), "path": "" if i == 0 else f"{i}_{m}", "type": f"sentence_transformers.models.{m}"}
                          for i, m in enumerate(modules)])
    os.makedirs(f"{directory}/1_Pooling")
    flags = {f"pooling_mode_{k}": k.startswith(pooling) for k in ("cls_token", "mean_tokens", "max_tokens")}
    dump("1_Pooling/config.json", {"word_embedding_dimension": hidden, **flags})
    dump("sentence_bert_config.json", {"max_seq_length": window, "do_lower_case": False})
    if form == "saved-by-library":
        SentenceTransformer(directory, device="cpu").save(directory + "-saved")
        shutil.rmtree(directory)
        os.rename(directory + "-saved", directory)
    return window


def texts(rng):
    words = ["hello", "World", "Überraschung", "naïve", "東京", "x" * 120, "[MASK]", "e\u0301", "3.14", "don't", "a-b", "\t\n"]
    yield from ["", "a", "The quick brown fox jumps over the lazy dog."]
    for n in (1, 3, 10, 40, 150, 600):
        for _ in range(3):
            yield " ".join(rng.choice(words) if rng.random() < 0.3 else "".join(rng.choice(LETTERS) for _ in range(rng.randint(1, 9)))
                           for _ in range(n))


def reference(directory, window, shape, xs):
    """In float64 from the stored weights, so that only the engine's own rounding counts, in F16 and BF16 too."""
    pooling, normalize = shape[6], shape[7]
    model = BertModel.from_pretrained(directory, attn_implementation="eager", dtype=torch.float64, add_pooling_layer=False).eval()
    tokenizer = BertTokenizerFast.from_pretrained(directory)
    out = []
    with torch.no_grad():
        for x in xs:
            ids = tokenizer(x, truncation=True, max_length=window, return_tensors="pt")["input_ids"]
            h = model(ids).last_hidden_state[0]
            v = {"mean": lambda: h.mean(0), "cls": lambda: h[0], "max": lambda: h.max(0).values}[pooling]()
            out.append((v / v.norm() if normalize else v).numpy())
    return np.array(out)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", default=f"{ROOT}/.build/release/minilm")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--keep", metavar="DIR")
    a = p.parse_args()
    work = a.keep or tempfile.mkdtemp()
    failed = 0
    print("| hidden | heads | layers | intermediate | vocabulary | positions | pooling | normalize | dtype | form | texts | largest difference |")
    print("|---" * 12 + "|")
    for n, shape in enumerate(SHAPES):
        rng = random.Random(a.seed * 1000 + n)
        torch.manual_seed(a.seed * 1000 + n)
        directory, out = f"{work}/model-{n}", f"{work}/model-{n}.safetensors"
        window = make(shape, directory, rng)
        if shape[10] == "plain":
            shape = (*shape[:6], "mean", False, *shape[8:])
        xs = list(texts(rng))
        subprocess.run([a.program, "convert", "--quiet", directory, out], check=True)
        subprocess.run([a.program, "verify", "--quiet", out], check=True)
        lines = subprocess.run([a.program, "embed", "--quiet", "--model", out, "--input-format", "jsonl"], check=True, stdout=subprocess.PIPE,
                               input="".join(json.dumps(x) + "\n" for x in xs).encode()).stdout.splitlines()
        got = np.array([json.loads(l)["embedding"] for l in lines], dtype=np.float64)
        want = reference(directory, window, shape, xs)
        difference = float((np.abs(got - want).max(1) / np.linalg.norm(want, axis=1)).max())
        bad = not difference <= 2e-6
        failed += bad
        print("| " + " | ".join(str(x) for x in (*shape[:9], shape[10], len(xs), f"{difference:.1e}{' WRONG' if bad else ''}")) + " |", flush=True)
    if not a.keep:
        shutil.rmtree(work)
    print(f"{len(SHAPES) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
