"""Writers of documents as no program writes them: bombs, endless drawings, scans. Used by make-documents.py and
stress/hostile-files.py."""
import zipfile, zlib

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
TYPES = ('<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
         '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument'
         '.wordprocessingml.document.main+xml"/></Types>')
RELS = ('<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
        'relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        'relationships/officeDocument" Target="word/document.xml"/></Relationships>')


def paragraph(text):
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def docx(path, body, head="", more=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", RELS)
        for name, content in more:
            archive.writestr(name, content)
        document = f'<?xml version="1.0"?>{head}<w:document {W}><w:body>'.encode()
        with archive.open("word/document.xml", "w", force_zip64=True) as part:
            part.write(document)
            if isinstance(body, int):
                block = paragraph("bomb " * 20).encode() * 5000
                for _ in range(body // len(block)):
                    part.write(block)
            else:
                part.write(body.encode())
            part.write(b"</w:body></w:document>")


def pdf(path, objects, header=b"%PDF-1.4\n"):
    """Objects from 1 on; the first is the catalogue."""
    with open(path, "wb") as file:
        file.write(header)
        offsets = []
        for number, body in enumerate(objects, 1):
            offsets.append(file.tell())
            file.write(b"%d 0 obj\n" % number + body + b"\nendobj\n")
        start = file.tell()
        file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
        for offset in offsets:
            file.write(b"%010d 00000 n \n" % offset)
        file.write(b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))


def stream(content, extra=b""):
    return b"<<%s/Length %d>>stream\n" % (extra, len(content)) + content + b"\nendstream"


FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def pages_pdf(path, texts):
    count = len(texts)
    kids = b" ".join(b"%d 0 R" % (4 + 2 * i) for i in range(count))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, kids), FONT]
    for i, text in enumerate(texts):
        objects.append(b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents %d 0 R"
                       b"/Resources<</Font<</F 3 0 R>>>>>>" % (5 + 2 * i))
        objects.append(stream(b"BT /F 12 Tf 50 700 Td (%s) Tj ET" % text.encode()))
    pdf(path, objects)


def hanging_pdf(path, drawing=b"0 0 m n"):
    """Forms that draw forms, 60 each, ten deep: more drawing than there is time for; with text, more than there is memory for."""
    depth, width = 10, 60
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
               b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"
               b"/Resources<</XObject<</X 6 0 R>>/Font<</F 5 0 R>>>>>>",
               stream(b"/X Do"), FONT]
    for level in range(depth):
        last = level == depth - 1
        inner = drawing if last else b"/X Do " * width
        resources = b"/Font<</F 5 0 R>>" if last else b"/XObject<</X %d 0 R>>" % (7 + level)
        objects.append(stream(inner, b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<<%s>>" % resources))
    pdf(path, objects)


def scan_pdf(path):
    pixels = zlib.compress(bytes(range(256)) * 39)
    pdf(path, [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
               b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>>>",
               stream(b"q 600 0 0 800 0 0 cm /I Do Q"),
               stream(pixels, b"/Type/XObject/Subtype/Image/Width 100/Height 99/ColorSpace/DeviceGray"
                              b"/BitsPerComponent 8/Filter/FlateDecode")])
