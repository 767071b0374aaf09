#!/usr/bin/env python3
"""Pins the Unicode tables of the reference tokenizer in Sources/Tokenization/UnicodeTables.swift.

The tables are not those of any one Unicode version: the reference (Hugging Face `tokenizers`) takes categories, decompositions and
case from crates of different ages. So they are read off the reference itself, scalar by scalar.

    pip install tokenizers==0.23.3
    tools/make-unicode-tables.py > Sources/Tokenization/UnicodeTables.swift
"""
import tokenizers
from tokenizers.normalizers import BertNormalizer, NFD
from tokenizers.pre_tokenizers import BertPreTokenizer

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xAC00 + 11172)
OFF = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)


def with_only(**on):
    return BertNormalizer(**{**OFF, **on}).normalize_str


clean, chinese = with_only(clean_text=True), with_only(handle_chinese_chars=True)
strip, lower = with_only(strip_accents=True), with_only(lowercase=True)
nfd = NFD().normalize_str
pretokenize = BertPreTokenizer().pre_tokenize_str

removed, blank, ideograph, mark, space, punctuation = set(), set(), set(), set(), set(), set()
decomposition, lowercase = {}, {}
for c in SCALARS:
    s = chr(c)
    cleaned = clean("a" + s + "a")
    if cleaned == "aa":
        removed.add(c)
    elif cleaned == "a a":
        blank.add(c)
    else:
        assert cleaned == "a" + s + "a", hex(c)
    spaced = chinese("a" + s + "a")
    if spaced != "a" + s + "a":
        assert spaced == "a " + s + " a", hex(c)
        ideograph.add(c)
    if nfd(s) != s and c not in HANGUL:
        decomposition[c] = [ord(x) for x in nfd(s)]
    if nfd(s) == s and strip(s) == "":
        mark.add(c)
    if lower(s) != s:
        lowercase[c] = [ord(x) for x in lower(s)]
    pieces = [p for p, _ in pretokenize("a" + s + "a")]
    if pieces == ["a", "a"]:
        space.add(c)
    elif len(pieces) == 3:
        punctuation.add(c)
    else:
        assert len(pieces) == 1, hex(c)

for c in SCALARS:  # what the Swift code assumes of the reference
    s = chr(c)
    assert strip(s) == "".join(x for x in nfd(s) if ord(x) not in mark), hex(c)
    if c in HANGUL:
        i = c - 0xAC00
        jamo = [0x1100 + i // 588, 0x1161 + i % 588 // 28] + ([0x11A7 + i % 28] if i % 28 else [])
        assert [ord(x) for x in nfd(s)] == jamo, hex(c)

# Canonical combining classes, from how the reference orders pairs of marks. One mark of each class that Unicode has,
# in ascending order of class; the class of a scalar is that of the one mark it never changes places with.
LADDER = [(1, 0x334), (6, 0x16FF0), (7, 0x93C), (8, 0x3099), (9, 0x94D), (10, 0x5B0), (11, 0x5B1), (12, 0x5B2), (13, 0x5B3),
          (14, 0x5B4), (15, 0x5B5), (16, 0x5B6), (17, 0x5B7), (18, 0x5B8), (19, 0x5B9), (20, 0x5BB), (21, 0x5BC), (22, 0x5BD),
          (23, 0x5BF), (24, 0x5C1), (25, 0x5C2), (26, 0xFB1E), (27, 0x64B), (28, 0x64C), (29, 0x64D), (30, 0x618), (31, 0x619),
          (32, 0x61A), (33, 0x651), (34, 0x652), (35, 0x670), (36, 0x711), (84, 0xC55), (91, 0xC56), (103, 0xE38), (107, 0xE48),
          (118, 0xEB8), (122, 0xEC8), (129, 0xF71), (130, 0xF72), (132, 0xF74), (202, 0x321), (214, 0x1DCE), (216, 0x31B),
          (218, 0x302A), (220, 0x316), (222, 0x59A), (224, 0x302E), (226, 0x1D16D), (228, 0x5AE), (230, 0x300), (232, 0x315),
          (233, 0x35C), (234, 0x35D), (240, 0x345)]


def swapped(a, b):
    return nfd(chr(a) + chr(b)) == chr(b) + chr(a) and a != b


ladder = [(k, m) for k, m in LADDER if swapped(m, 0x334) or swapped(0x345, m)]
for (_, a), (_, b) in zip(ladder, ladder[1:]):
    assert swapped(b, a) and not swapped(a, b), (hex(a), hex(b))
combining = {}
for c in SCALARS:
    if nfd(chr(c)) != chr(c) or not (swapped(c, 0x334) or swapped(0x345, c)):
        continue
    same = [k for k, m in ladder if not swapped(c, m) and not swapped(m, c)]
    assert len(same) == 1, (hex(c), same)
    combining[c] = same[0]


def ranges(scalars):
    out = []
    for c in sorted(scalars):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def emit(name, doc, numbers):
    print(f"\n    /// {doc}\n    static let {name}: [UInt32] = [")
    line = "       "
    for n in numbers:
        word = f" 0x{n:X},"
        if len(line + word) > 100:
            print(line)
            line = "       "
        line += word
    print(line + "\n    ]")


def pairs(scalars):
    return [n for r in ranges(scalars) for n in r]


def classes():
    out = []
    for k in sorted(set(combining.values())):
        for first, last in ranges(c for c in combining if combining[c] == k):
            out += [k, first, last]
    return out


print(f"// Made by tools/make-unicode-tables.py from tokenizers {tokenizers.__version__}. Do not edit.")
print("// swift-format-ignore-file\n")
print("/// What the reference tokenizer takes Unicode scalars for, read off the reference itself.")
print("enum UnicodeTables {", end="")
emit("removed", "Removed by `clean_text`: `[first, last]` pairs.", pairs(removed))
emit("blank", "Turned into a space by `clean_text`: `[first, last]` pairs.", pairs(blank))
emit("ideographs", "Set apart by `handle_chinese_chars`: `[first, last]` pairs.", pairs(ideograph))
emit("nonspacingMarks", "Dropped by `strip_accents` after decomposition: `[first, last]` pairs.", pairs(mark))
emit("whitespace", "Where `BertPreTokenizer` splits: `[first, last]` pairs.", pairs(space))
emit("punctuation", "What `BertPreTokenizer` isolates: `[first, last]` pairs.", pairs(punctuation))
emit("combiningClasses", "Canonical combining classes other than 0: `[class, first, last]` triples.", classes())
emit("decompositions", "Full canonical decompositions without Hangul: `[scalar, count, parts…]`.",
     [n for c, d in sorted(decomposition.items()) for n in [c, len(d), *d]])
emit("lowercase", "Lower case where it differs: `[scalar, count, parts…]`.",
     [n for c, d in sorted(lowercase.items()) for n in [c, len(d), *d]])
print("}")
