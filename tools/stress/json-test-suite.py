#!/usr/bin/env python3
"""Sends the files of JSONTestSuite (https://github.com/nst/JSONTestSuite) to `minilm serve`, one line each, and checks the verdicts.

    tools/stress/json-test-suite.py DIR [--program .build/release/minilm]

DIR is the suite's test_parsing. Files y_ must be read as JSON (any answer but -32700), files n_ must be answered -32700, files i_
either way; an empty or blank line is not answered. Every file is sent alone, and again as the params of an `embed` call.

A newline ends a line, so files that hold newlines are sent changed: newlines become spaces where the file keeps its meaning so, that
is outside strings. An unescaped newline within a string (n_string_unescaped_newline) becomes a tab, which JSON forbids there too.
A file of JSON that is more than 512 levels deep (n_structure_100000_opening_arrays and the like) has no verdict of its own.
Wrapped, files that are blank, or balanced only together with the wrapping, could change sides; there are none but the blank ones.
"""
import json, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import *


def one_line(data):
    result, in_string, escaped = bytearray(), False, False
    for byte in data:
        if byte == 0x0A:
            result += b"\t" if in_string else b" "
            escaped = False
            continue
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        result.append(byte)
    return bytes(result)


def main():
    parser = arguments(__doc__)
    parser.add_argument("folder", metavar="DIR", help="the suite's test_parsing")
    options = prepare(parser.parse_args())
    names = sorted(name for name in os.listdir(options.folder) if name.endswith(".json"))
    engine = Engine(command(options))
    known = engine.call("embed", input="hello world", encoding_format="base64")["result"]["data"][0]["embedding"]
    wrong, counts, changed = [], {}, []

    def verdict(line):
        """The codes of the answers to a line, by an `info` call after it: both are answered in the order of reading."""
        codes = []
        engine.send(line + b"\n" + request("after", "info"))
        while True:
            answer = engine.next()
            if answer is None:
                raise EOFError("the engine ended: " + engine.errors()[:300])
            if isinstance(answer, dict) and answer.get("id") == "after":
                break
            codes.append([a.get("error", {}).get("code", 0) for a in answer] if isinstance(answer, list) else answer.get("error", {}).get("code", 0))
        return codes

    def check(name, form, line):
        codes = verdict(line)
        is_blank = not line.strip(b" \t\r")
        kind = name[0]
        if is_blank:
            good, said = codes == [], "blank"
        elif len(codes) > 1 or (not codes and kind == "n"):
            good, said = False, "twice" if codes else "not answered"
        else:
            refused = codes == [-32700]
            said = "refused" if refused else "accepted"
            good = kind == "i" or refused == (kind == "n")
            if not codes:
                said, good = "not answered", False
        counts[form, kind, said] = counts.get((form, kind, said), 0) + 1
        if not good:
            wrong.append(f"{form} {name}: {said}, codes {codes}, {line[:80]!r}")

    try:
        for name in names:
            with open(os.path.join(options.folder, name), "rb") as file:
                data = file.read()
            line = one_line(data)
            if line != data:
                changed.append(name)
            check(name, "alone", line)
            wrapped = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"embed\",\"params\":" + line + b"}"
            check(name if line.strip() else "n_blank", "wrapped", wrapped)
        after = engine.call("embed", input="hello world", encoding_format="base64")["result"]["data"][0]["embedding"]
        if not same(after, known):
            wrong.append("the vector changed")
    except EOFError as error:
        wrong.append(f"{name}: {error}")
    status = engine.close()
    if status != 0 or engine.errors():
        wrong.append(f"exit status {status}, stderr {engine.errors()[:200]}")
    progress("newlines replaced in: " + ", ".join(changed))
    for problem in wrong:
        progress("WRONG: " + problem)
    figures = ", ".join(f"{form} {kind}_ {said} {count}" for (form, kind, said), count in sorted(counts.items()))
    print(f"json-test-suite: {len(names)} files, {len(wrong)} wrong; {figures}")
    sys.exit(1 if wrong or not names else 0)


main()
