import CLibXML2

/// libxml2's parsers of XML and HTML as streams of events: memory does not grow with the document.
///
/// Entities that a document declares are never expanded and no other file is ever fetched: XML that
/// declares any is refused.
enum MarkupParser {
    /// - Returns: whether the document was well-formed.
    static func parse(
        xml bytes: [UInt8], _ handler: MarkupHandler, _ deadline: Deadline
    ) throws(ExtractionError) -> Bool {
        guard !bytes.isEmpty else { return false }
        let xml = try Libraries.xml.loaded()
        let context = bytes.withUnsafeBytes { buffer in
            xml.xmlCreateMemoryParserCtxt(buffer.baseAddress, Int32(clamping: buffer.count))
        }
        guard let context else { throw .unreadable(.noMemory) }
        defer { release(context, xml) }
        let options =
            XML_PARSE_SAX1.rawValue | XML_PARSE_NONET.rawValue | XML_PARSE_NOERROR.rawValue
            | XML_PARSE_NOWARNING.rawValue
        _ = xml.xmlCtxtUseOptions(context, Int32(options))
        return try run(context, xml, handler, deadline) { xml.xmlParseDocument(context) }
    }

    /// - Parameter utf8: the document, decoded; what it declares of its encoding does not count.
    static func parse(
        html utf8: [UInt8], _ handler: MarkupHandler, _ deadline: Deadline
    ) throws(ExtractionError) {
        guard !utf8.isEmpty else { return }
        let xml = try Libraries.xml.loaded()
        let context = utf8.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { characters in
                xml.htmlCreateMemoryParserCtxt(
                    characters.baseAddress, Int32(clamping: buffer.count))
            }
        }
        guard let context else { throw .unreadable(.noMemory) }
        defer { release(context, xml) }
        let options =
            HTML_PARSE_RECOVER.rawValue | HTML_PARSE_NONET.rawValue | HTML_PARSE_NOERROR.rawValue
            | HTML_PARSE_NOWARNING.rawValue | HTML_PARSE_IGNORE_ENC.rawValue
            | HTML_PARSE_NOIMPLIED.rawValue
        _ = xml.htmlCtxtUseOptions(context, Int32(options))
        _ = xml.xmlSwitchEncoding(context, XML_CHAR_ENCODING_UTF8)
        _ = try run(context, xml, handler, deadline) { xml.htmlParseDocument(context) }
    }

    private static func release(_ context: xmlParserCtxtPtr, _ xml: xml_functions) {
        if let document = context.pointee.myDoc { xml.xmlFreeDoc(document) }
        context.pointee.myDoc = nil
        xml.xmlFreeParserCtxt(context)
    }

    private static func run(
        _ context: xmlParserCtxtPtr, _ xml: xml_functions, _ handler: MarkupHandler,
        _ deadline: Deadline, _ parse: () -> Int32
    ) throws(ExtractionError) -> Bool {
        let session = Session(context, xml, handler, deadline)
        var events = xmlSAXHandler()
        events.startElement = { Session.of($0)?.start($1, $2) }
        events.endElement = { Session.of($0)?.end($1) }
        events.characters = { Session.of($0)?.text($1, $2) }
        events.ignorableWhitespace = { Session.of($0)?.text($1, $2) }
        events.cdataBlock = { Session.of($0)?.text($1, $2) }
        events.reference = { Session.of($0)?.reference($1) }
        events.entityDecl = { user, _, _, _, _, _ in Session.of(user)?.refuseEntities() }
        context.pointee.sax.pointee = events
        context.pointee.sax2 = 0
        context.pointee.userData = Unmanaged.passUnretained(session).toOpaque()
        _ = withExtendedLifetime(session) { parse() }
        if let failure = session.failure ?? handler.failure { throw failure }
        return context.pointee.wellFormed != 0
    }

    /// One parse, as the parser's callbacks see it.
    private final class Session {
        let context: xmlParserCtxtPtr
        let xml: xml_functions
        let handler: MarkupHandler
        let deadline: Deadline
        var failure: ExtractionError?
        private var eventCount = 0

        init(
            _ context: xmlParserCtxtPtr, _ xml: xml_functions, _ handler: MarkupHandler,
            _ deadline: Deadline
        ) {
            self.context = context
            self.xml = xml
            self.handler = handler
            self.deadline = deadline
        }

        static func of(_ user: UnsafeMutableRawPointer?) -> Session? {
            user.map { Unmanaged<Session>.fromOpaque($0).takeUnretainedValue() }
        }

        func start(
            _ name: UnsafePointer<UInt8>?,
            _ attributes: UnsafeMutablePointer<UnsafePointer<UInt8>?>?
        ) {
            guard let name, goesOn() else { return }
            handler.start(local(name), MarkupAttributes(list: attributes))
        }

        func end(_ name: UnsafePointer<UInt8>?) {
            guard let name, goesOn() else { return }
            handler.end(local(name))
        }

        func text(_ text: UnsafePointer<UInt8>?, _ length: Int32) {
            guard let text, goesOn() else { return }
            handler.text(UnsafeBufferPointer(start: text, count: Int(length)))
        }

        /// An entity that is not XML's own and was not declared: HTML's are known.
        func reference(_ name: UnsafePointer<UInt8>?) {
            guard let entity = xml.htmlEntityLookup(name),
                let scalar = Unicode.Scalar(entity.pointee.value), goesOn()
            else { return }
            Array(String(Character(scalar)).utf8).withUnsafeBufferPointer { handler.text($0) }
        }

        func refuseEntities() { stop(.entityDeclarations) }

        private func goesOn() -> Bool {
            guard failure == nil else { return false }
            eventCount += 1
            if eventCount & 0xFFF == 0 {
                do throws(ExtractionError) { try deadline.check() } catch { stop(error) }
            }
            if let failure = handler.failure { stop(failure) }
            if let input = context.pointee.input { handler.isAt(line: Int(input.pointee.line)) }
            return failure == nil
        }

        private func stop(_ reason: ExtractionError) {
            failure = failure ?? reason
            xml.xmlStopParser(context)
        }

        private func local(_ name: UnsafePointer<UInt8>) -> String {
            var start = name
            var i = name
            while i.pointee != 0 {
                if i.pointee == UInt8(ascii: ":") { start = i + 1 }
                i += 1
            }
            return String(cString: start)
        }
    }
}
