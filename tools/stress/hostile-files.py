#!/usr/bin/env python3
"""One batch of files that mean harm or are broken, and good ones among them: each bad one fails with
its own clear reason, the good ones are searchable, in bounded time and memory.

    tools/stress/hostile-files.py [--program FILE] [--model FILE] [--timeout 10] [--small] [--keep DIR]

Zip bombs, XML entity bombs and external entities, paths that lead out of an archive, 50,000 files in
one, a text file of 2 GB (--small: 200 MB), a PDF that keeps pdftotext busy for ever, one of 10,000
pages, a scan, an encrypted one, truncated and empty files, a FIFO, a link to itself, a file that grows
while it is read, deeply nested HTML and JSON. Prints each file with what became of it, the time, and the
largest memory of the program and its tools together. Exits with 1 when something is not as it should be.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile, threading, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
from hostile_documents import docx, hanging_pdf, pages_pdf, paragraph, scan_pdf


def make(folder, small):
    """The files by name: what must stand in the reason, or None for a good one."""
    expected = {}

    def at(name, reason):
        expected[name] = reason
        return os.path.join(folder, name)

    docx(at("bomb.docx", "unpacks to more"), 3 << 30 if not small else 300 << 20)
    laughs = "".join(f'<!ENTITY a{i} "{f"&a{i-1};" * 10}">' for i in range(1, 12))
    docx(at("entities.docx", "declares entities"), paragraph("&a11;"), f'<!DOCTYPE x [<!ENTITY a0 "lol">{laughs}]>')
    docx(at("external.docx", "declares entities"), paragraph("&e;"),
         '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>')
    docx(at("traversal.docx", "leads out"), paragraph("x"), more=[("../../../tmp/evil", "x")])
    docx(at("crowd.docx", "more than the 20000 files"), paragraph("x"), more=[(f"word/{i}.bin", "") for i in range(50000)])
    with open(at("page.html", None), "w") as file:
        file.write("<div>" * 200000 + "<p>Deep down the marmot whistles.</p>")
    block = ("The same line of a log, again and again, without an end.\n" * 20000).encode()
    with open(at("large.txt", "bytes, more than"), "wb") as file:
        while file.tell() < (200 << 20 if small else 2 << 30):
            file.write(block)
    hanging_pdf(at("hanging.pdf", "took longer"))
    hanging_pdf(at("hungry.pdf", "pdftotext was ended|took longer"), b"BT /F 12 Tf 50 700 Td (x) Tj ET")
    pages_pdf(at("pages.pdf", None), [f"This is page {i} about item {i * 7919}" for i in range(1, 10001)])
    scan_pdf(at("scan.pdf", "no text layer"))
    shutil.copy(os.path.join(folder, "scan.pdf"), at("copy-of-scan.pdf", "no text layer"))
    pages_pdf(at("cut.pdf", "damaged PDF"), ["x" * 400])
    os.truncate(os.path.join(folder, "cut.pdf"), 120)
    docx(at("cut.docx", "damaged DOCX"), paragraph("word " * 5000))
    os.truncate(os.path.join(folder, "cut.docx"), 700)
    with open(at("garbage.pdf", "damaged PDF"), "wb") as file:
        file.write(b"\0\1\2\3" * 1000)
    open(at("empty.pdf", "no text"), "w").close()
    open(at("empty.txt", "no text"), "w").close()
    with open(at("deep.json", "damaged JSON"), "w") as file:
        file.write("[" * 1000000)
    with open(at("broken.jsonl", "line 2"), "w") as file:
        file.write('{"a": "b"}\n{"a": \n')
    with open(at("wide.csv", None), "w") as file:
        file.write("name,value\n" + "".join(f"item {i},{i * i}\n" for i in range(50000)))
    with open(at("quote.csv", None), "w") as file:
        file.write('name,value\n"' + "never closed " * 100000)
    with open(at("broken.rtf", "no text"), "w") as file:
        file.write("{\\rtf1 " + "{" * 10000 + "An unbalanced kingfisher")
    with open(at("picture.png", "no way to get text"), "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(100))
    os.mkfifo(at("pipe.pdf", "not a regular file"))
    os.symlink("loop.txt", at("loop.txt", "symbolic link"))
    if os.geteuid() != 0:
        with open(at("secret.txt", "no permission"), "w") as file:
            file.write("x")
        os.chmod(os.path.join(folder, "secret.txt"), 0)
    with open(at("growing.txt", "changed while"), "wb") as file:
        file.write(block * 40)
    for i in range(10):
        with open(at(f"good-{i}.md", None), "w") as file:
            file.write(f"# Bird {i}\n\nThe kingfisher number {i} dives into the brook at dawn.\n")
    docx(at("good.docx", None), paragraph("A heron stands in the reeds and waits."))
    return expected


def memory_of(pid):
    """Resident bytes of a process and those below it, what it shares counted once a process."""
    total, seen, left = 0, set(), [pid]
    while left:
        process = left.pop()
        if process in seen:
            continue
        seen.add(process)
        try:
            with open(f"/proc/{process}/statm") as file:
                total += int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            with open(f"/proc/{process}/task/{process}/children") as file:
                left += [int(child) for child in file.read().split()]
            for thread in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{thread}/children") as file:
                    left += [int(child) for child in file.read().split()]
        except OSError:
            pass
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=f"{ROOT}/.build/release/minilm")
    parser.add_argument("--model", default=f"{ROOT}/weights/all-MiniLM-L6-v2.safetensors")
    parser.add_argument("--timeout", type=int, default=10, help="seconds a file may take")
    parser.add_argument("--memory", type=int, default=500, help="MB that all may take together")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--keep", help="a folder to make the files in, and to leave")
    options = parser.parse_args()
    folder = options.keep or tempfile.mkdtemp(prefix="minilm-hostile-")
    os.makedirs(folder, exist_ok=True)
    try:
        run(options, folder)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def run(options, folder):
    expected = make(folder, options.small)
    env = dict(os.environ, MINILM_LIBRARY=os.path.join(folder, "library.sqlite"), MINILM_MODEL=options.model)
    paths = [os.path.join(folder, name) for name in expected]
    done = threading.Event()

    def grow():
        with open(os.path.join(folder, "growing.txt"), "ab", buffering=0) as file:
            while not done.wait(0.002):
                file.write(b"more\n")

    threading.Thread(target=grow, daemon=True).start()
    start = time.monotonic()
    process = subprocess.Popen([options.program, "material", "add", *paths, "--subject", "s", "--create-subject",
                                "--quiet", "--file-timeout", str(options.timeout)],
                               env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak = 0
    output = {}
    reader = threading.Thread(target=lambda: output.update(zip(("out", "err"), process.communicate())))
    reader.start()
    while reader.is_alive():
        peak = max(peak, memory_of(process.pid))
        time.sleep(0.02)
    seconds = time.monotonic() - start
    done.set()
    problems = []
    reasons = {}
    for line in output["err"].splitlines():
        for name in expected:
            mark = f"minilm: {os.path.join(folder, name)}: "
            if line.startswith(mark):
                reasons[name] = line[len(mark):]
    for name, wanted in expected.items():
        reason = reasons.get(name)
        right = reason is None if wanted is None else reason is not None and any(part in reason for part in wanted.split("|"))
        print(f"{'ok ' if right else 'BAD'} {name:18} {reason or 'read'}")
        if not right:
            problems.append(name)
    listed = subprocess.run([options.program, "material", "list", "--json"], env=env, capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        material = json.loads(line)
        name = os.path.basename(material["source_path"])
        failed = material["processing_status"] == "failed"
        if failed != (expected[name] is not None):
            problems.append(f"{name} is {material['processing_status']}")
    found = subprocess.run([options.program, "search", "heron reeds", "--mode", "keyword", "-k", "1", "--json"],
                           env=env, capture_output=True, text=True)
    if "A heron stands" not in found.stdout:
        problems.append("the good document is not found")
    print(f"{len(expected)} files in {seconds:.1f} s, at most {peak / 1e6:.0f} MB together, exit {process.returncode}")
    print(output["out"].strip())
    if process.returncode != 1:
        problems.append(f"exit {process.returncode}: {output['err'][-300:]}")
    if peak > options.memory * 1e6:
        problems.append(f"more than {options.memory} MB")
    if problems:
        sys.exit("not as it should be: " + ", ".join(problems))


main()
