/// Where the blocks of a text come from: its document said them, or they are found in the text.
enum BlockSource {
    case given(ArraySlice<TextBlock>)
    case scanned(BlockScanner)

    init(_ extracted: ExtractedText, _ text: UTF8Text) {
        if let blocks = extracted.blocks {
            self = .given(blocks[...])
        } else {
            let style: BlockScanner.Style =
                switch extracted.mediaType {
                case .markdown: .markdown
                case .sourceCode: .code
                default: .plain
                }
            self = .scanned(BlockScanner(text, style))
        }
    }

    /// The next block; nil after the last.
    mutating func next() -> TextBlock? {
        switch self {
        case .given(var blocks):
            let block = blocks.popFirst()
            self = .given(blocks)
            return block
        case .scanned(var scanner):
            let block = scanner.next()
            self = .scanned(scanner)
            return block
        }
    }
}
