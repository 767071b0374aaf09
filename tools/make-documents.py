#!/usr/bin/env python3
"""Makes Tests/Fixtures/documents anew: one small document of each type with what its text is, and hostile ones.

    apt-get install pandoc groff
    tools/make-documents.py

river.*       one text of our own as DOCX, PPTX, ODT, EPUB, RTF (by pandoc), PDF (by groff) and the types that this script
              writes itself; river.EXT.words holds the words that extraction must give, one a line
hostile/*     archives and PDFs that mean harm, small enough to be committed
"""
import os, shutil, subprocess, sys, tempfile, zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from hostile_documents import docx, hanging_pdf, pages_pdf, paragraph, scan_pdf

OUT = os.path.join(HERE, "..", "Tests", "Fixtures", "documents")

PARTS = [
    ("The River Atlas", ["This atlas describes a small river from its spring to the sea, with everything that lives beside it."]),
    ("The spring", ["The river begins under a limestone cliff, where cold water leaves the rock at nine degrees all year.",
                    "Dippers nest behind the fall. Salamanders lay their larvae in the first pools."]),
    ("The meadow", ["Below the village the valley widens. Farmers mow the meadows twice, in June and in September.",
                    "Storks follow the mowers and hunt for frogs and grasshoppers."]),
    ("The estuary", ["At the mouth salt water and fresh water mix. Eels arrive as glass eels in spring.",
                     "Mudflats feed thousands of plovers on their way to the north."]),
]
TABLE = [["Station", "Depth", "Fish"], ["Mill", "120", "trout"], ["Bridge", "310", "barbel"], ["Harbour", "870", "flounder"]]
CODE = "def discharge(width, depth, speed):\n    return width * depth * speed"


def write(name, text, encoding="utf-8"):
    with open(os.path.join(OUT, name), "wb") as file:
        file.write(text.encode(encoding))


def truth(name, *more, table=True, code=True):
    words = []
    for title, paragraphs in PARTS:
        words += title.split() + " ".join(paragraphs).split()
    if table:
        words += [cell for row in TABLE for cell in row]
    if code:
        words += CODE.split()
    for text in more:
        words += text.split()
    write(f"{name}.words", "\n".join(words) + "\n")


def markdown(level=1):
    lines = []
    for index, (title, paragraphs) in enumerate(PARTS):
        lines += ["#" * (level if index == 0 else level + 1) + " " + title, ""]
        for paragraph in paragraphs:
            lines += [paragraph, ""]
    lines += ["| " + " | ".join(TABLE[0]) + " |", "|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in TABLE[1:]]
    lines += ["", "```python", CODE, "```", ""]
    return "\n".join(lines)


def pandoc(source, target, *options):
    subprocess.run(["pandoc", "--from", "markdown", "--metadata", "title=River", *options, "--output", target],
                   input=source.encode(), check=True, env=dict(os.environ, SOURCE_DATE_EPOCH="1700000000"))


def by_pandoc():
    note = markdown() + "\nA last word.[^1]\n\n[^1]: The footnote speaks of otters.\n"
    for kind in ("docx", "odt", "rtf"):
        options = ["--standalone"] if kind == "rtf" else []
        pandoc(note, os.path.join(OUT, f"river.{kind}"), *options)
        truth(f"river.{kind}", "A last word. The footnote speaks of otters.")
    pandoc(markdown(), os.path.join(OUT, "river.epub"), "--epub-chapter-level=2")
    truth("river.epub")
    slides = []
    for title, paragraphs in PARTS:
        slides += [f"# {title}", "", *[p + "\n" for p in paragraphs], "::: notes", f"Speak slowly about {title.lower()}.", ":::", ""]
    pandoc("\n".join(slides), os.path.join(OUT, "river.pptx"), "--slide-level=1")
    truth("river.pptx", *[f"Speak slowly about {title.lower()}." for title, _ in PARTS], table=False, code=False)


def by_groff():
    lines = [".nr LL 6i"]
    for index, (title, paragraphs) in enumerate(PARTS):
        if index == 2:
            lines.append(".bp")
        lines += [".SH", title]
        for paragraph in paragraphs:
            lines += [".PP", paragraph]
    pdf = subprocess.run(["groff", "-ms", "-Tpdf"], input="\n".join(lines).encode(), check=True, capture_output=True,
                         env=dict(os.environ, SOURCE_DATE_EPOCH="1700000000")).stdout
    with open(os.path.join(OUT, "river.pdf"), "wb") as file:
        file.write(pdf)
    truth("river.pdf", table=False, code=False)


def by_hand():
    write("river.md", markdown())
    truth("river.md")
    body = []
    for index, (title, paragraphs) in enumerate(PARTS):
        body.append(f"<h{min(index, 1) + 1}>{title}</h{min(index, 1) + 1}>")
        body += [f"<p>{p}</p>" for p in paragraphs]
    rows = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in TABLE)
    page = ("<!DOCTYPE html>\n<html><head><meta charset=\"iso-8859-1\"><title>River</title><style>.x{color:HIDDENSTYLE}</style>"
            "<script>var HIDDENSCRIPT = 1;</script></head>\n<body><nav><a href='/'>HIDDENNAVIGATION</a></nav>\n<main>\n"
            + "\n".join(body) + f"\n<table>{rows}</table>\n<pre>{CODE}</pre>\n<p>Caf\u00e9 &amp; r\u00e9sum\u00e9&nbsp;&euro;</p>\n"
            "<p hidden>HIDDENATTRIBUTE</p><p style='display: none'>HIDDENBYSTYLE</p>\n</main>\n<footer>HIDDENFOOTER</footer></body></html>\n")
    write("river.html", page, "iso-8859-1")
    truth("river.html", "Caf\u00e9 & r\u00e9sum\u00e9 \u20ac")
    write("river.csv", "\n".join(",".join(row) for row in TABLE) + '\n"A, quoted","12\n3","two\nlines"\n')
    write("river.csv.words", "Station: Mill Depth: 120 Fish: trout Bridge 310 barbel Harbour 870 flounder A, quoted 12 3 two lines".replace(" ", "\n"))
    write("river.json", '{"river": {"name": "Atlas", "length_km": 83.5}, "stations": [{"name": "Mill", "fish": ["trout", "grayling"]}, {"name": "Bridge", "fish": ["barbel"]}]}')
    write("river.json.words", "Atlas 83.5 Mill trout grayling Bridge barbel".replace(" ", "\n"))
    write("river.jsonl", '{"text": "The first record speaks of trout."}\n\n{"text": "The second of barbel.", "depth": 310}\n')
    write("river.jsonl.words", "The first record speaks of trout. The second of barbel. 310".replace(" ", "\n"))
    write("river.srt", "1\n00:00:01,000 --> 00:00:04,500\nThe <i>river</i> begins\nunder a cliff.\n\n2\n01:00:05,000 --> 01:00:08,000\nStorks follow the mowers.\n")
    write("river.srt.words", "The river begins under a cliff. Storks follow the mowers.".replace(" ", "\n"))
    write("river.vtt", "WEBVTT\n\nNOTE HIDDENNOTE\n\n00:01.000 --> 00:04.500 align:start\nThe river begins.\n\n00:05.000 --> 00:08.000\nStorks follow.\n")
    write("river.vtt.words", "The river begins. Storks follow.".replace(" ", "\n"))
    write("river.swift", "import Foundation\n\n/// Flow of a river.\nfunc discharge(width: Double, depth: Double) -> Double {\n    let area = width * depth\n\n    return area * 2\n}\n\nfunc level() -> Int { 3 }\n")
    write("river.swift.words", "import Foundation func discharge(width: Double, depth: return area level()".replace(" ", "\n"))
    message = ("From: Ada Byron <ada@example.org>\r\nTo: \"Grace\" <grace@example.org>\r\nSubject: =?utf-8?q?The_river_caf=C3=A9?=\r\n"
               "Date: Tue, 14 Nov 2023 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=XX\r\n\r\n"
               "--XX\r\nContent-Type: multipart/alternative; boundary=YY\r\n\r\n"
               "--YY\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nEels arrive in spring, na=EFve and glassy.\r\n"
               "--YY\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>HIDDENALTERNATIVE</p>\r\n--YY--\r\n"
               "--XX\r\nContent-Type: text/csv; name=fish.csv\r\nContent-Disposition: attachment; filename=fish.csv\r\nContent-Transfer-Encoding: base64\r\n\r\n"
               "U3RhdGlvbixGaXNoCk1pbGwsdHJvdXQK\r\n--XX\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=x.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--XX--\r\n")
    write("river.eml", message)
    write("river.eml.words", "The river café Ada Byron Grace Eels arrive in spring, naïve and glassy. Station: Mill Fish: trout".replace(" ", "\n"))
    russian = "Река начинается под известняковой скалой, где холодная вода выходит из камня круглый год. Аисты идут за косарями и ловят лягушек. "
    japanese = "川は石灰岩の崖の下から始まり、冷たい水が一年中流れ出ています。コウノトリは草刈り機の後を追い、カエルを捕まえます。"
    for name, text, encoding in [("koi8-r.txt", russian * 4, "koi8-r"), ("windows-1251.txt", russian * 4, "cp1251"),
                                 ("shift-jis.txt", japanese * 4, "shift_jis"), ("euc-jp.txt", japanese * 4, "euc_jp"),
                                 ("gb18030.txt", "河流始于石灰岩悬崖之下,冷水终年从岩石中流出。鹳跟着割草机捕食青蛙和蚱蜢。" * 4, "gb18030"),
                                 ("utf-16le.txt", "The river begins under a cliff. " * 8, "utf-16-le")]:
        write(name, text, encoding)
        write(f"{name}.words", text)


def nested():
    """A table in a cell of a table, with text of the cell before and after it."""
    cell = lambda *content: f"<w:tc>{''.join(content)}</w:tc>"
    table = lambda *rows: "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    inner = table(cell(paragraph("weir")) + cell(paragraph("sluice")))
    docx(os.path.join(OUT, "nested.docx"),
         table(cell(paragraph("upstream"), inner, paragraph("downstream")) + cell(paragraph("lock"))))
    cell = lambda *content: f"<table:table-cell>{''.join(content)}</table:table-cell>"
    table = lambda *rows: "<table:table>" + "".join(f"<table:table-row>{row}</table:table-row>" for row in rows) + "</table:table>"
    text = lambda words: f"<text:p>{words}</text:p>"
    inner = table(cell(text("weir")) + cell(text("sluice")))
    with zipfile.ZipFile(os.path.join(OUT, "nested.odt"), "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
                         'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">'
                         "<office:body><office:text>" + table(cell(text("upstream"), inner, text("downstream")) + cell(text("lock"))) +
                         "</office:text></office:body></office:document-content>")


def hostile():
    folder = os.path.join(OUT, "hostile")
    os.makedirs(folder)
    at = lambda name: os.path.join(folder, name)
    docx(at("bomb.docx"), 20 << 20)
    laughs = "".join(f'<!ENTITY a{i} "{f"&a{i-1};" * 10}">' for i in range(1, 12))
    docx(at("entities.docx"), paragraph("&a11;"), f'<!DOCTYPE x [<!ENTITY a0 "lol">{laughs}]>')
    docx(at("external.docx"), paragraph("&e;"), '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>')
    docx(at("traversal.docx"), paragraph("x"), more=[("../../evil.txt", "x")])
    docx(at("crowd.docx"), paragraph("x"), more=[(f"a{i}", "") for i in range(300)])
    docx(at("broken.docx"), "<w:p><w:r><w:t>not closed")
    hanging_pdf(at("hanging.pdf"))
    scan_pdf(at("scan.pdf"))
    pages_pdf(at("pages.pdf"), [f"This is page {i}" for i in range(1, 31)])
    with open(os.path.join(OUT, "river.pdf"), "rb") as file:
        data = file.read()
    with open(at("cut.pdf"), "wb") as file:
        file.write(data[:300])
    with open(os.path.join(OUT, "river.docx"), "rb") as file:
        data = file.read()
    with open(at("cut.docx"), "wb") as file:
        file.write(data[:2000])
    with zipfile.ZipFile(at("locked.odt"), "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("META-INF/manifest.xml", "<manifest><file-entry full-path='content.xml'><encryption-data/></file-entry></manifest>")
        archive.writestr("content.xml", bytes(range(256)))
    with zipfile.ZipFile(at("locked.epub"), "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", "<container><rootfiles><rootfile full-path='b.opf'/></rootfiles></container>")
        archive.writestr("META-INF/encryption.xml", "<encryption><EncryptedData><CipherData><CipherReference URI='a.xhtml'/></CipherData></EncryptedData></encryption>")
        archive.writestr("b.opf", "<package><manifest><item id='a' href='a.xhtml'/></manifest><spine><itemref idref='a'/></spine></package>")
        archive.writestr("a.xhtml", bytes(range(256)))


shutil.rmtree(OUT, ignore_errors=True)
os.makedirs(OUT)
by_pandoc()
by_groff()
by_hand()
nested()
hostile()
