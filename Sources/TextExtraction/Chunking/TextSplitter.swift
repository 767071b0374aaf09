import Tokenization

/// Goes through a text, a chunk a step. The rules stand at ``Chunker``.
struct TextSplitter {
    struct Piece {
        var text: String
        var range: Range<Int>
        var tokenCount: Int
        var context = ""
        /// Those above it, and those that it begins with.
        var headings: [String] = []
        var startsWithHeading = false
    }

    /// What the present chunk is chosen from. Offsets into the text.
    private struct Window {
        /// A border behind this leaves the chunk at least a third full.
        var floor: Int
        /// The chunk's last possible end.
        var limit: Int
    }

    private let text: UTF8Text
    private let tokenizer: Tokenizer
    private let maximumTokenCount: Int
    private let options: ChunkOptions
    private let title: String?
    /// What the present chunk may take: the window without the special tokens, the context and what
    /// overlaps.
    private var room: Int
    private var context = ""
    private var tokens: TokenWindow
    private var source: BlockSource
    /// Those that end behind the present chunk's start, as far as read.
    private var blocks: [TextBlock] = []
    private var path: HeadingPath
    /// Where the present chunk starts.
    private var position = 0

    init(
        _ text: UTF8Text, _ source: BlockSource, title: String?, tokens: TokenWindow,
        tokenizer: Tokenizer, maximumTokenCount: Int, _ options: ChunkOptions
    ) {
        self.text = text
        self.source = source
        self.title = title
        self.tokens = tokens
        self.tokenizer = tokenizer
        self.maximumTokenCount = maximumTokenCount
        self.options = options
        room = maximumTokenCount - 2
        path = HeadingPath(text)
    }

    /// The next chunk, its length verified; nil at the end of the text.
    mutating func next() -> Piece? {
        position = text.skipWhitespace(position..<text.count)
        guard position < text.count else { return nil }
        tokens.advance(to: position)
        readBlocks(upTo: position + 1)
        setContext()
        // The second window tells whether code or a word fits alone.
        tokens.read(2 * room + 1)
        let end = chooseEnd()
        var piece = piece(position..<end)
        if piece.tokenCount > maximumTokenCount || piece.range.isEmpty {
            piece = longestPiece(upTo: end)
        }
        piece.headings = pathOfStart().titles
        piece.startsWithHeading = blocks.first?.isHeading ?? false
        position = piece.range.upperBound
        return piece
    }

    /// The headings above the present chunk and those that it begins with.
    private func pathOfStart() -> HeadingPath {
        var path = path
        for block in blocks.prefix(while: { $0.isHeading }) { path.pass(block) }
        return path
    }

    /// The context counts; of a long one the outermost headings go.
    private mutating func setContext() {
        context = ""
        var tokenCount = 0
        if let template = options.context {
            // A heading that the chunk begins with is not above it, and ends what is.
            var headings = pathOfStart().titles(before: position)[...]
            var title = title
            while true {
                context = template.text(title: title, headings: headings)
                tokenCount = context.isEmpty ? 0 : tokenizer.tokenCount(context) - 2
                if tokenCount <= maximumTokenCount / 4 { break }
                if title != nil { title = nil } else { headings = headings.dropFirst() }
            }
        }
        let overlap = min(options.overlapTokenCount, maximumTokenCount / 3)
        room = max(6, maximumTokenCount - 2 - tokenCount - overlap)
    }

    private func piece(_ range: Range<Int>) -> Piece {
        let range = text.trimmed(range)
        let string = text.string(range)
        return Piece(
            text: string, range: range, tokenCount: tokenizer.tokenCount(context + string),
            context: context)
    }

    private mutating func chooseEnd() -> Int {
        let third = max((room + 4) / 3 - 2, 1)
        let window = Window(floor: tokens.start(third - 1), limit: tokens.start(room))
        readBlocks(upTo: window.limit)
        if let border = blocks.first(where: { isSection($0, in: window) }) {
            return border.range.lowerBound
        }
        guard tokens.count > room else { return text.count }
        return blockBorder(window) ?? innerBorder(window) ?? wordBorder(window)
            ?? borderInWord(window)
    }

    private mutating func readBlocks(upTo limit: Int) {
        let passed = blocks.prefix { $0.range.upperBound <= position }
        for block in passed { path.pass(block) }
        blocks.removeFirst(passed.count)
        while (blocks.last?.range.lowerBound ?? 0) < limit, let block = source.next() {
            if block.range.upperBound > position { blocks.append(block) } else { path.pass(block) }
        }
    }

    /// Whether a chunk may end before a block.
    private func isBorder(_ block: TextBlock, in window: Window) -> Bool {
        let start = block.range.lowerBound
        return window.floor < start && start <= window.limit && !block.followsHeading
    }

    /// Whether a chunk ends before a block even if more would fit.
    private func isSection(_ block: TextBlock, in window: Window) -> Bool {
        guard case .heading(1...2) = block.kind else { return false }
        return isBorder(block, in: window)
    }

    private func blockBorder(_ window: Window) -> Int? {
        var window = window
        let whole = startOfWhole(at: window.limit)
        if let whole { window.limit = whole }
        let border =
            blocks.last { $0.isHeading && isBorder($0, in: window) }
            ?? blocks.last { isBorder($0, in: window) }
        return border?.range.lowerBound ?? whole
    }

    /// Where to end so that the code or table at an offset is not cut; nil if no end does that.
    private func startOfWhole(at offset: Int) -> Int? {
        guard let code = blocks.last(where: { $0.range.lowerBound < offset }),
            code.isKeptWhole, offset < code.range.upperBound, code.leadStart > position
        else { return nil }
        let after = tokens.start(tokens.count(before: code.leadStart) + room)
        return after >= code.range.upperBound ? code.leadStart : nil
    }

    private func innerBorder(_ window: Window) -> Int? {
        // Not between a heading and what follows it.
        let body = blocks.last { $0.followsHeading && $0.range.lowerBound <= window.limit }
        let floor = max(window.floor, body?.range.lowerBound ?? 0)
        guard floor < window.limit else { return nil }
        let range = floor..<window.limit
        return text.lastLineBorder(in: range) ?? text.lastSentenceBorder(in: range)
            ?? text.lastWordBorder(in: range)
    }

    /// The last border of words, however small the chunk gets; nil if the word behind it does not
    /// fit any window.
    private func wordBorder(_ window: Window) -> Int? {
        guard let border = text.lastWordBorder(in: position..<window.limit) else { return nil }
        let after = tokens.start(tokens.count(before: border) + room)
        let fits = after == text.count || text.hasBlank(window.limit..<max(after, window.limit))
        return fits ? border : nil
    }

    /// A border in a word: of graphemes, and where one of the tokenizer's words or at least a token
    /// starts.
    private func borderInWord(_ window: Window) -> Int {
        let starts = graphemeStarts(upTo: window.limit)
        var candidates: [(offset: Int, isWordStart: Bool)] = []
        var grapheme = starts.count - 1
        var i = min(room, tokens.count - 1)
        while i > 0, grapheme >= 0 {
            let start = tokens.start(i)
            while grapheme >= 0, starts[grapheme] > start { grapheme -= 1 }
            if grapheme >= 0, starts[grapheme] == start, start > position {
                candidates.append((start, tokens.isWordStart(i)))
            }
            i -= 1
        }
        let best =
            candidates.first { $0.isWordStart && $0.offset > window.floor } ?? candidates.first
        return best?.offset ?? window.limit
    }

    /// Where graphemes start in what follows the chunk's start, up to and with an offset.
    private func graphemeStarts(upTo end: Int) -> [Int] {
        // With the next scalar it is known whether one starts at the end.
        let next = end < text.count ? end + text.scalar(at: end).length : end
        var starts: [Int] = []
        var offset = position
        for character in text.string(position..<next) {
            if offset > position { starts.append(offset) }
            offset += character.utf8.count
        }
        return starts
    }

    /// The longest piece found that fits, by trial: for what counts do not add up to.
    private func longestPiece(upTo end: Int) -> Piece {
        let graphemes = graphemeStarts(upTo: end)
        if let piece = longestPiece(endingAt: graphemes) { return piece }
        var scalars: [Int] = []
        var i = position
        repeat {
            i += text.scalar(at: i).length
            scalars.append(i)
        } while i < (graphemes.first ?? end)
        return longestPiece(endingAt: scalars) ?? piece(position..<scalars[0])
    }

    /// Halves the length until it fits: the trials together take no longer than two of the first.
    private func longestPiece(endingAt ends: [Int]) -> Piece? {
        var count = ends.count
        while count > 0 {
            let piece = piece(position..<ends[count - 1])
            if piece.tokenCount <= maximumTokenCount { return piece }
            count /= 2
        }
        return nil
    }
}
