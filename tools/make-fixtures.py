#!/usr/bin/env python3
"""Makes Tests/Fixtures anew: what the tests need and cannot compute themselves.

    pip install torch transformers==5.23.0 sentence-transformers==6.2.0 tokenizers==0.23.3
    tools/make-fixtures.py [weights/checkpoint]

tiny-bert/         a BERT checkpoint of 2 layers with random weights, as sentence-transformers saves one
tiny-bert.json     its vectors for some texts, for each pooling, with and without normalization
tiny-bert-activations.safetensors   its hidden states and attentions for one text
reference.jsonl    texts of our own with the reference model's ids and vector (base64, little-endian float32)
tokens.jsonl       texts of our own with the reference tokenizer's ids and byte offsets (without the special tokens')
"""
import base64, json, os, random, shutil, sys

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "Tests", "Fixtures")
CHECKPOINT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "weights", "checkpoint")

TEXTS = [
    "", " ", "a", "Hello, world!", "The quick brown fox jumps over the lazy dog.",
    "How do I bake sourdough bread without a Dutch oven?", "Naïve café déjà vu; ÅNGSTRÖM and Zürich.",
    "東京都は日本の首都である。", "Привет, как дела?", "مرحبا بالعالم", "שלום עולם", "한국어 문장입니다", "ไทยแลนด์",
    "[CLS] is not [MASK] nor [SEP]; [UNK] [PAD] [cls]", "e\u0301te\u0301 vs été", "🙂👍🏽 emoji 👨‍👩‍👧",
    "https://example.org/path?q=1&r=%20#frag", "tab\tnewline\ncarriage\rnul\x00bell\x07zwsp\u200bend", "x" * 101, "y" * 100,
    "supercalifragilisticexpialidocious antidisestablishmentarianism", "1,234.56 + 7e-8 = ?", "don't can't we'll o'clock",
    "def f(x):\n    return {k: v for k, v in x.items() if v > 0}", "##ing ##ed # # #hash", "ﬁ ﬀ ŒUVRE ß ẞ İstanbul ıI",
    "\u1e9b\u0323 \u0958\u093c \u0f73\u0f71 a\u0315\u0300\u05ae\u0062", "\ufeffBOM and \ufffd replacement", "word " * 300,
    "中文 mixed with English words 和 数字 123", "“Quoted” — dashes – and … ellipses", "A\u00a0no-break\u2003em\u3000wide",
]


def reference():
    from sentence_transformers import SentenceTransformer
    model = SentenceTransformer(CHECKPOINT, device="cpu")
    tokenizer = Tokenizer.from_file(f"{CHECKPOINT}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    with open(f"{OUT}/reference.jsonl", "w") as f:
        for text in TEXTS:
            vector = model.encode([text])[0].astype("<f4")
            row = {"text": text, "ids": tokenizer.encode(text).ids, "embedding": base64.b64encode(vector.tobytes()).decode()}
            f.write(json.dumps(row) + "\n")
    rng = random.Random(7)
    alphabet = ([chr(c) for c in range(0x20, 0x250)] + list("ΑαΣσςЖжאبتहिन्दीกขค漢字かなカナ한글") + ["\u0301", "\u0323", "\u05b0", "\u0651", "\u093c",
                "\u3099", "\u200d", "\u00ad", "\u2028", "\ufe0f", "😀", "𝔘", "𐐀", "\U000e0001", "[MASK]", "[SEP]", "[CLS", "##"])
    texts = list(TEXTS) + ["".join(rng.choice(alphabet) for _ in range(rng.randint(1, 40))) for _ in range(400)]
    with open(f"{OUT}/tokens.jsonl", "w") as f:
        for text in texts:
            encoding = tokenizer.encode(text)
            starts = [0]
            for c in text:
                starts.append(starts[-1] + len(c.encode()))
            offsets = [[starts[a], starts[b]] for a, b in encoding.offsets[1:-1]]
            f.write(json.dumps({"text": text, "ids": encoding.ids, "offsets": offsets}) + "\n")


def tiny():
    torch.manual_seed(11)
    directory = f"{OUT}/tiny-bert"
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(f"{directory}/1_Pooling")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-"
    words = ["the", "quick", "brown", "fox", "jump", "over", "lazy", "dog", "hello", "world", "text", "cat"]
    pieces = ["##" + c for c in letters[:36]] + ["##s", "##ing", "##ed"]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list(letters) + words + [p for i, p in enumerate(pieces) if p not in pieces[:i]]
    with open(f"{directory}/vocab.txt", "w") as f:
        f.write("".join(v + "\n" for v in vocab))
    config = BertConfig(vocab_size=len(vocab), hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40,
                        max_position_embeddings=48, attn_implementation="eager")
    model = BertModel(config, add_pooling_layer=False).eval()
    for name, parameter in model.named_parameters():  # so that vectors of different texts differ much
        scale = 0.2 if parameter.dim() == 1 else 2 / parameter.shape[-1] ** 0.5
        torch.nn.init.normal_(parameter, mean=1.0 if "LayerNorm.weight" in name else 0.0, std=scale)
    state = {k: v.contiguous() for k, v in model.state_dict().items() if "position_ids" not in k and "token_type_ids" not in k}
    save_file(state, f"{directory}/model.safetensors")
    dump = lambda name, value: json.dump(value, open(f"{directory}/{name}", "w"), indent=1)
    dump("config.json", {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": len(vocab), "hidden_size": 24,
         "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40, "max_position_embeddings": 48, "hidden_act": "gelu",
         "layer_norm_eps": 1e-12, "type_vocab_size": 2, "position_embedding_type": "absolute"})
    dump("modules.json", [{"idx": i, "name": str(i), "path": p, "type": f"sentence_transformers.models.{t}"}
                          for i, (p, t) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")])])
    dump("1_Pooling/config.json", {"word_embedding_dimension": 24, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False})
    dump("sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False})
    dump("tokenizer_config.json", {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True})
    from tokenizers import BertWordPieceTokenizer
    tokenizer = BertWordPieceTokenizer(f"{directory}/vocab.txt", lowercase=True)
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.save(f"{directory}/tokenizer.json")

    texts = ["", "Hello world!", "The quick brown foxes jumped over the lazy dogs.", "cats texting 42", "[MASK] unknown: é 東"]
    rows = []
    with torch.no_grad():
        for text in texts:
            ids = tokenizer.encode(text).ids
            hidden = model(torch.tensor([ids])).last_hidden_state[0].double()
            row = {"text": text, "ids": ids}
            for mode, v in (("mean", hidden.mean(0)), ("cls", hidden[0]), ("max", hidden.max(0).values)):
                row[mode] = [float(x) for x in v.float()]
                row[mode + "_normalized"] = [float(x) for x in (v / v.norm()).float()]
            rows.append(row)
        out = model(torch.tensor([rows[2]["ids"]]), output_hidden_states=True, output_attentions=True)
        tensors = {f"hidden.{i}": h[0].contiguous() for i, h in enumerate(out.hidden_states)}
        tensors |= {f"attention.{i}": a[0].contiguous() for i, a in enumerate(out.attentions)}
        tensors["ids"] = torch.tensor(rows[2]["ids"], dtype=torch.int32)
        save_file(tensors, f"{OUT}/tiny-bert-activations.safetensors", metadata={"text": texts[2]})
    for name in ("model.safetensors", "../tiny-bert-activations.safetensors"):
        os.chmod(f"{directory}/{name}", 0o644)
    json.dump(rows, open(f"{OUT}/tiny-bert.json", "w"), indent=0)


os.makedirs(OUT, exist_ok=True)
tiny()
reference()
