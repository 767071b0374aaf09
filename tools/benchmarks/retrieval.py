#!/usr/bin/env python3
"""A library of about 1,000 real files of a Debian machine, from nothing to searchable; then 50 questions whose answers are
known, and as many man pages as there are, asked for by what their NAME section says.

    apt-get install pandoc groff man-db manpages manpages-dev python3-doc debian-policy libpython3.11-testsuite libtasn1-doc
    tools/benchmarks/retrieval.py make FOLDER
    tools/benchmarks/retrieval.py ask FOLDER [--chunk-tokens N] [--overlap-tokens N] [--context TEMPLATE] [--only 300]

`make` collects the files: web pages, Python, Markdown, mail, JSON and CSV as they stand; parts of the Python manual as DOCX,
ODT, EPUB and RTF (by pandoc), man pages as PDF (by groff) and as text without their NAME section. `ask` adds the folder to a
new library, embeds it and asks; it prints rate, memory and failures, and how often the right passage is first and among the
first five, for each way to search. --only takes every file that answers a question and of the others some, for comparing ways
to cut text.
"""
import argparse, gzip, hashlib, json, os, re, shutil, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MANUAL = "/usr/share/doc/python3.11/html"

# The question, and words that stand in the passage that answers it.
QUESTIONS = [
    ("Which HTTP status code says that the server is a teapot?", "IM_A_TEAPOT"),
    ("How do I create a temporary directory that is removed on its own?", "securely creates a temporary directory"),
    ("Why is 0.1 not stored exactly as a binary fraction?", "0.1000000000000000055511151231257827"),
    ("How can I insert into a list and keep it sorted without sorting it again?", "without having to sort the list after each insertion"),
    ("Get the n largest elements of a collection", "list with the n largest elements from the dataset"),
    ("How do I set how often the garbage collector runs?", "Set the garbage collection thresholds"),
    ("How do I get the hash of a file object's contents?", "Return a digest object that has been updated with contents of file object"),
    ("Access to the Windows registry from Python", "expose the Windows registry API to Python"),
    ("How can a program play sounds on Windows?", "basic sound-playing machinery provided by Windows"),
    ("Convert a colour from RGB to HSV", "bidirectional conversions of color values"),
    ("Encode bytes in Ascii85 form", "using Ascii85"),
    ("Ask the user for a password without showing it on the screen", "Prompt the user for a password without echoing"),
    ("Compare file names with wildcard patterns as a shell does", "support for Unix shell-style wildcards"),
    ("What measures the running time of a short piece of code?", "simple way to time small bits of Python code"),
    ("Find the differences between two sequences of lines", "classes and functions for comparing sequences"),
    ("The middle value of a set of numbers", "Return the median (middle value) of numeric data"),
    ("Print nested lists and dictionaries in a readable form", "arbitrary Python data structures in a form which can be used as input"),
    ("Calculating with exact fractions such as 1/3", "support for rational number arithmetic"),
    ("A dictionary whose values are kept on disk between runs", "persistent, dictionary-like object"),
    ("How do I read a sound file in WAV format?", "convenient interface to the WAV sound format"),
    ("A queue that hands out the smallest item first", "lowest valued entries are retrieved first"),
    ("May a crawler fetch this address, according to the site's rules?", "whether or not a particular user agent can fetch a URL"),
    ("Generate a random unique identifier", "Generate a random UUID"),
    ("How do I find what a Unicode character is called?", "Returns the name assigned to the character"),
    ("Referring to an object without keeping it alive", "is not enough to keep the object alive"),
    ("Which weekday does a calendar week begin with, and how to change it?", "Sets the weekday"),
    ("Pack an application with its modules into one executable archive", "creation of zip files containing Python code"),
    ("A library for drawing text interfaces on terminals of any kind", "terminal-independent screen-painting"),
    ("How does an object customise what happens when its attribute is looked up?", "lets objects customize attribute lookup"),
    ("Do equal elements keep their order when a list is sorted?", "Sorts are guaranteed to be stable"),
    ("How to isolate the packages of a project from those of another?", "self-contained directory tree that contains a Python installation"),
    ("Turn an INI file into settings", "basic configuration language which provides a structure similar to"),
    ("Make a function remember its results", "saves up to the maxsize most recent calls"),
    ("Run code when the interpreter exits", "functions to register and unregister cleanup functions"),
    ("Split a command line as a Unix shell would", "lexical analyzers for simple syntaxes resembling that of the Unix shell"),
    ("Every pair of elements from a list, regardless of order", "length subsequences of elements from the input iterable"),
    ("Keep the order of arguments and show help for a command line program", "makes it easy to write user-friendly command-line interfaces"),
    ("Create a file that only lives in memory and has a descriptor", "creates an anonymous file and returns a file descriptor"),
    ("How can a program learn that a file in a directory was changed?", "mechanism for monitoring filesystem events"),
    ("Make a second descriptor for the same open file", "allocates a new file descriptor that refers to the same open file description"),
    ("Keep pages of a process from being swapped out", "virtual address space into RAM"),
    ("Obtain random bytes from the kernel", "random bytes. These bytes can be used to seed"),
    ("Tell the kernel how memory will be used", "give advice or directions to the kernel about the address range"),
    ("Which privilege lets a process ignore file permissions?", "Bypass file read, write, and execute permission checks"),
    ("Which signal is sent when the reader of a pipe is gone?", "Broken pipe: write to pipe with no"),
    ("Which characters do the codes from 0 to 127 stand for?", "American Standard Code for Information Interchange"),
    ("Restart or halt the computer from a program", "enables/disables the reboot keystroke"),
    ("What makes a package essential to a Debian system?", "minimal set of functionality that must be available and usable"),
    ("Which clause ends the patent licence of somebody who sues?", "granted to You under this License for that Work shall terminate"),
    ("How do the elements of ASN.1 get encoded by DER in C?", "asn1_der_coding"),
]

# Those that answer questions.
MAN_PAGES = ["memfd_create.2", "inotify.7", "dup.2", "mlock.2", "getrandom.2", "madvise.2", "capabilities.7", "signal.7", "ascii.7", "reboot.2"]
# And large pages of the manual that do.
LARGE_PAGES = ["library/winreg", "library/difflib", "library/statistics", "library/calendar", "howto/descriptor", "library/configparser",
               "library/functools", "library/itertools", "library/argparse", "library/hashlib"]


def normal(text):
    return " ".join(text.replace("\u2019", "'").lower().split())


class Folder:
    def __init__(self, path):
        self.path = path
        self.counts = {}

    def file(self, kind, name):
        folder = os.path.join(self.path, kind)
        os.makedirs(folder, exist_ok=True)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return os.path.join(folder, name)

    def copy(self, kind, source, name=None):
        shutil.copyfile(source, self.file(kind, name or os.path.basename(source)))


def pick(paths, count, smallest=400, largest=40000):
    """Some of the files, the same ones each time."""
    fitting = []
    for path in paths:
        if os.path.isfile(path) and not os.path.islink(path) and smallest < os.path.getsize(path) < largest:
            fitting.append(path)
    return sorted(sorted(fitting, key=lambda path: hashlib.sha256(path.encode()).digest())[:count])


def below(folder, suffix):
    return [os.path.join(where, name) for where, folders, names in os.walk(folder) for name in names if name.endswith(suffix)]


def make_manual(folder):
    kinds = {"docx": 40, "odt": 30, "epub": 30, "rtf": 25}
    pages = pick([path for part in ("library", "howto", "tutorial", "faq") for path in below(f"{MANUAL}/{part}", ".html")], 400, largest=90000)
    pages = sorted(set(pages) | {f"{MANUAL}/{name}.html" for name in LARGE_PAGES})
    turn = [kind for kind, count in kinds.items() for _ in range(count)]
    for index, path in enumerate(pages):
        kind = turn[index // 3] if index % 3 == 0 and index // 3 < len(turn) else "html"
        name = os.path.relpath(path, MANUAL).replace("/", "-")
        if kind == "html":
            folder.copy("html", path, name)
            continue
        text = open(path, encoding="utf-8").read()
        body = re.search(r'<div class="body" role="main">(.*?)<div class="clearer">', text, re.S)
        title = re.search(r"<title>(.*?)</title>", text, re.S).group(1)
        target = folder.file(kind, name.replace(".html", f".{kind}"))
        subprocess.run(["pandoc", "--from", "html", "--standalone", "--metadata", f"pagetitle={title}", "--metadata", f"title={title}",
                        "--output", target], input=(body.group(1) if body else text).encode(), check=True,
                       stderr=subprocess.DEVNULL, cwd=os.path.dirname(path))


def make_man_pages(folder):
    paths = [f"/usr/share/man/man{name[-1]}/{name}.gz" for name in MAN_PAGES]
    paths += pick(below("/usr/share/man/man2", ".gz") + below("/usr/share/man/man7", ".gz"), 150, largest=12000)
    for path in sorted(set(paths)):
        source = gzip.decompress(open(path, "rb").read())
        if source.startswith(b".so "):
            continue
        pdf = subprocess.run(["groff", "-man", "-t", "-k", "-Tpdf"], input=source, capture_output=True).stdout
        with open(folder.file("pdf", os.path.basename(path)[:-3] + ".pdf"), "wb") as file:
            file.write(pdf)
    questions = []
    for path in pick(below("/usr/share/man/man3", ".gz") + below("/usr/share/man/man8", ".gz"), 160, smallest=1200, largest=6000):
        text = subprocess.run(["man", "-Tutf8", path], capture_output=True, env=dict(os.environ, MANWIDTH="90")).stdout.decode(errors="replace")
        text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", text)
        found = re.search(r"^NAME\n(.*?)\n(?=\S)", text, re.S | re.M)
        if not found or " - " not in " ".join(found.group(1).split()).replace("\u2013", "-"):
            continue
        about = " ".join(found.group(1).split()).replace("\u2013", "-").split(" - ", 1)[1]
        target = folder.file("txt", os.path.basename(path)[:-3] + ".txt")
        with open(target, "w") as file:
            file.write(text[:found.start()] + text[found.end():])
        if len(about.split()) >= 3:
            questions.append({"question": about, "file": os.path.relpath(target, folder.path)})
    with open(os.path.join(folder.path, ".man-pages.json"), "w") as file:
        json.dump(questions, file)


def make(path):
    shutil.rmtree(path, ignore_errors=True)
    folder = Folder(path)
    make_manual(folder)
    make_man_pages(folder)
    for file in pick(below("/usr/lib/python3.11", ".py"), 280, largest=15000):
        folder.copy("py", file, os.path.relpath(file, "/usr/lib/python3.11").replace("/", "-"))
    for index, file in enumerate(pick(below("/opt/swift/usr/share/doc", ".md") + below("/usr/share/doc/nodejs", ".md"), 90, largest=20000)):
        folder.copy("md", file, f"{index}-{os.path.basename(file)}")
    for file in pick(below("/usr/lib/python3.11/test/test_email/data", ".txt"), 50, smallest=100):
        folder.copy("eml", file, os.path.basename(file)[:-4] + ".eml")
    for index, file in enumerate(pick(below("/usr/share", ".json") + below("/usr/lib/python3", ".json"), 20, largest=15000)):
        folder.copy("json", file, f"{index}-{os.path.basename(file)}")
    for file in pick(below("/usr/share/distro-info", ".csv"), 4):
        folder.copy("csv", file)
    for name in ("Apache-2.0", "GPL-3", "MPL-2.0", "Artistic", "LGPL-2.1", "GFDL-1.3"):
        folder.copy("licences", f"/usr/share/common-licenses/{name}", f"{name}.txt")
    folder.copy("pdf", "/usr/share/doc/libtasn1-doc/libtasn1.pdf")
    folder.copy("epub", "/usr/share/doc/debian-policy/policy.epub")
    print(sum(folder.counts.values()), "files:", folder.counts)


class Library:
    def __init__(self, options, folder):
        self.options = options
        self.path = os.path.join(folder, ".library.sqlite")
        for suffix in ("", "-vectors", "-journal"):
            if os.path.exists(self.path + suffix):
                os.remove(self.path + suffix)
        self.env = dict(os.environ, MINILM_LIBRARY=self.path, MINILM_MODEL=options.model)

    def run(self, *arguments, input=None, codes=(0,)):
        result = subprocess.run([self.options.program, *arguments], env=self.env, input=input, capture_output=True, text=True)
        if result.returncode not in codes:
            sys.exit(f"minilm {arguments[0]}: exit {result.returncode}: {result.stderr[-500:]}")
        return result


def ask(options):
    folder = options.folder
    if options.only:
        folder = reduced(folder, options.only)
    library = Library(options, folder)
    settings = []
    for name, value in (("--chunk-tokens", options.chunk_tokens), ("--overlap-tokens", options.overlap_tokens), ("--context-template", options.context)):
        if value is not None:
            settings += [name, str(value)]
    library.run("subject", "add", "library", *settings)
    start = time.monotonic()
    result = subprocess.run(["/usr/bin/time", "-f", "%M KB", options.program, "material", "sync", folder, "--subject", "library", "--quiet"],
                            env=library.env, capture_output=True, text=True) if os.path.exists("/usr/bin/time") else library.run(
                            "material", "sync", folder, "--subject", "library", "--quiet", codes=(0, 1))
    reading = time.monotonic() - start
    failures = [line for line in result.stderr.splitlines() if line.startswith("minilm: /")]
    memory = [line for line in result.stderr.splitlines() if line.endswith(" KB")]
    start = time.monotonic()
    library.run("generate-missing-embeddings", "--all", "--quiet", codes=(0, 1))
    embedding = time.monotonic() - start
    status = json.loads(library.run("status", "--json").stdout)["totals"]
    count = status["chunks"]
    print(f"{status.get('materials')} materials, {count} chunks; read in {reading:.1f} s, embedded in {embedding:.1f} s "
          f"({count / max(embedding, 1e-9):.1f}/s); failures: {len(failures)}; memory {memory}")
    for failure in failures:
        print("  " + failure)
    with open(os.path.join(options.folder, ".man-pages.json")) as file:
        pages = json.load(file)
    sets = [("questions", [(q, lambda hit, w=normal(w): w in normal(hit["text"])) for q, w in QUESTIONS]),
            ("man pages", [(p["question"], lambda hit, f=p["file"]: hit["source_path"].endswith("/" + f)) for p in pages])]
    for name, questions in sets:
        for mode in ("vector", "keyword", "hybrid"):
            report(library, name, mode, questions, options.verbose)


def report(library, name, mode, questions, verbose):
    text = "".join(question + "\n" for question, _ in questions)
    output = library.run("search", "--queries", "-", "--mode", mode, "-k", "10", "--json", input=text).stdout
    hits = [[] for _ in questions]
    for line in output.splitlines():
        hit = json.loads(line)
        hits[hit["query"]].append(hit)
    ranks = []
    for (question, is_right), found in zip(questions, hits):
        rank = next((hit["rank"] for hit in found if is_right(hit)), None)
        ranks.append(rank)
        if verbose and rank != 1:
            print(f"    {mode}: {rank}: {question}")
    first = sum(rank == 1 for rank in ranks)
    five = sum(rank is not None and rank <= 5 for rank in ranks)
    mean = sum(1 / rank for rank in ranks if rank) / len(ranks)
    print(f"  {name:10} {mode:8} first {first:3} of {len(ranks)} ({first / len(ranks):.0%})  first five {five:3} ({five / len(ranks):.0%})  MRR@10 {mean:.3f}")


def reduced(folder, count):
    """Links to the files that answer, and to some others."""
    target = folder.rstrip("/") + f"-{count}"
    if os.path.exists(target):
        return target
    names = [os.path.relpath(path, folder) for path in below(folder, "")]
    names = sorted(name for name in names if not name.startswith("."))
    with open(os.path.join(folder, ".man-pages.json")) as file:
        needed = {page["file"] for page in json.load(file)}
    words = [normal(w) for _, w in QUESTIONS]
    for name in names:
        kind, base = name.split("/", 1)
        source = os.path.join(folder, name)
        if kind in ("docx", "odt", "epub", "rtf"):
            source = os.path.join(MANUAL, os.path.splitext(base)[0].replace("-", "/", 1) + ".html")
        if name in ("pdf/libtasn1.pdf", "epub/policy.epub") or (kind == "pdf" and base[:-4] in MAN_PAGES):
            needed.add(name)
        elif kind != "pdf" and os.path.exists(source):
            text = normal(re.sub(r"<[^>]+>", "", open(source, errors="replace").read()))
            if any(word in text for word in words):
                needed.add(name)
    others = sorted(set(names) - needed, key=lambda name: hashlib.sha256(name.encode()).digest())
    for name in sorted(needed) + others[:count]:
        os.makedirs(os.path.dirname(os.path.join(target, name)), exist_ok=True)
        os.link(os.path.join(folder, name), os.path.join(target, name))
    return target


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["make", "ask"])
    parser.add_argument("folder")
    parser.add_argument("--program", default=f"{ROOT}/.build/release/minilm")
    parser.add_argument("--model", default=f"{ROOT}/weights/all-MiniLM-L6-v2.safetensors")
    parser.add_argument("--chunk-tokens", type=int)
    parser.add_argument("--overlap-tokens", type=int)
    parser.add_argument("--context")
    parser.add_argument("--only", type=int)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    make(options.folder) if options.command == "make" else ask(options)


main()
