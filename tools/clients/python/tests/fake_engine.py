#!/usr/bin/env python3
"""An engine that misbehaves on request; its vectors are [length, first character, position in the request, process id].

$FAKE is a JSON object:
  log: file that gets a JSON line for each start and each message.
  delay: seconds before an answer.
  max_concurrent: requests beyond are answered "overloaded".
  until: how many starts misbehave in the ways below (default: all).
  exit_at: exit code given at once, before reading. die_on: dies when a request holds this text.
  die_after: dies when so many requests were read. stall: never answers. garbage: answers with a line that is no JSON.
  half: with streams, sends the first half of the texts and dies.
  stderr: bytes of log written before each answer. max_line: longer lines are answered -32002 with id null.
  ignore_eof: does not end with its input, nor on SIGTERM.
"""

import base64
import json
import os
import signal
import struct
import sys
import threading
import time

config = json.loads(os.environ["FAKE"])
lock = threading.Lock()
running: set = set()
cancelled: set = set()


def log(**event):
    if "log" in config:
        with open(config["log"], "a") as file:
            file.write(json.dumps(event) + "\n")


def send(message):
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def starts():
    if "log" not in config:
        return 1
    with open(config["log"]) as file:
        return sum('"start"' in line for line in file)


def die():
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(10)


def item(index, text):
    if text == "bad":
        return {"index": index, "error": {"code": -32003, "message": "text too long"}}
    vector = struct.pack("<4f", len(text), ord(text[0]) if text else 0, index, os.getpid())
    return {
        "object": "embedding",
        "index": index,
        "embedding": base64.b64encode(vector).decode(),
        "tokens": len(text),
        "truncated": False,
    }


def embed(number, params, bad):
    inputs = params["input"]
    end = time.monotonic() + config.get("delay", 0)
    while time.monotonic() < end:
        if number in cancelled:
            send({"id": number, "error": {"code": -32800, "message": "cancelled"}})
            running.discard(number)
            return
        time.sleep(0.005)
    if config.get("stderr"):
        sys.stderr.write("x" * 200 + "\n" + "y" * config["stderr"] + "\n")
        sys.stderr.flush()
    data = [item(index, text) for index, text in enumerate(inputs)]
    running.discard(number)
    if params.get("stream"):
        data.reverse()
        half = len(data) // 2
        for part in [data[:half]] if bad and config.get("half") else [data[:half], data[half:]]:
            send({"method": "embed/partial", "params": {"id": number, "data": part}})
        if bad and config.get("half"):
            time.sleep(0.05)
            die()
        send({"id": number, "result": {"object": "list", "usage": {}}})
    else:
        send({"id": number, "result": {"object": "list", "data": data, "usage": {}}})


def main():
    log(event="start", pid=os.getpid())
    bad = starts() <= config.get("until", 1 << 30)
    if bad and "exit_at" in config:
        sys.stderr.write("cannot open the model\n")
        sys.exit(config["exit_at"])
    if config.get("ignore_eof"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    read = 0
    for line in sys.stdin.buffer:
        if len(line) > config.get("max_line", 1 << 40):
            send(
                {"id": None, "error": {"code": -32002, "message": "line too long", "data": {"limit": "max_line_bytes"}}}
            )
            continue
        message = json.loads(line)
        log(event="message", pid=os.getpid(), **message)
        number, method, params = message.get("id"), message["method"], message.get("params", {})
        read += 1
        if method == "$/cancelRequest":
            cancelled.add(params["id"])
        elif method == "info":
            send({"id": number, "result": {"model": {"dimension": 4}}})
        elif method != "embed":
            send({"id": number, "error": {"code": -32601, "message": "no such method"}})
        elif bad and (read >= config.get("die_after", 1 << 30) or config.get("die_on") in params["input"]):
            die()
        elif bad and config.get("stall"):
            pass
        elif bad and config.get("garbage"):
            sys.stdout.write("not JSON\n")
            sys.stdout.flush()
        elif len(running) >= config.get("max_concurrent", 1 << 30):
            send({"id": number, "error": {"code": -32001, "message": "overloaded", "data": {"retry_after_ms": 10}}})
        else:
            running.add(number)
            threading.Thread(target=embed, args=(number, params, bad)).start()
    if config.get("ignore_eof"):
        time.sleep(60)


main()
